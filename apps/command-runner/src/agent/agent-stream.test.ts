import { readFileSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AgentStream } from './agent-stream.ts';

const recorded = (name: string) => readFileSync(`${import.meta.dirname}/testing/streams/${name}.jsonl`);

/** Read pieces of bytes as they come from a pipe. */
function read(pieces: Buffer[], maxTurns?: number) {
  const shown = { stdout: '', stderr: '', system: '' };
  const events: unknown[] = [];
  const stream = new AgentStream(
    {
      write: (to, text) => {
        shown[to] += text;
      },
      limitReached: (resetsAt) => events.push(['limit reached', resetsAt]),
      limitOver: () => events.push('limit over'),
      resultCame: () => events.push('result'),
    },
    maxTurns,
  );
  const decoder = new StringDecoder('utf8');
  for (const piece of pieces) stream.read(decoder.write(piece));
  stream.read(decoder.end());
  stream.end();
  return { stream, facts: stream.facts(), result: stream.result, events, ...shown };
}

const lines = (...texts: (string | object)[]) =>
  read(texts.map((text) => Buffer.from(`${typeof text === 'string' ? text : JSON.stringify(text)}\n`)));

describe('the stream of the agent', () => {
  const whole = recorded('success');

  test('becomes text for people, notes of its tools and facts', () => {
    const { stdout, system, facts, result, events, stream } = read([whole]);
    expect(stdout).toBe('I will look – déjà vu 🙂\nA helper speaks.\nAll done.\n');
    expect(system).toBe(
      [
        '[agent] claude-sonnet-4-5',
        '[tool] Bash: ls -la /tmp',
        '[tool failed] ls: /tmp: no',
        '[tool] TodoWrite:',
        '',
      ].join('\n'),
    );
    expect(result).toMatchObject({ succeeded: true, error: null });
    expect(facts).toEqual({
      result: 'All done.',
      subtype: 'success',
      is_error: false,
      cost_usd: 0.25,
      turns: 4,
      duration_ms: 5123,
      session_id: '5e55-1',
      model: 'claude-sonnet-4-5-20250929',
      tokens: { input: 14, output: 54, cache_read: 430, cache_creation: 50 },
    });
    expect(events).toEqual(['limit over', 'result']);
    expect(stream.progress.percent).toBe(50);
  });

  test('reads the same wherever it is torn', () => {
    const { stream: _, ...expected } = read([whole]);
    for (let at = 1; at < whole.length; at++) {
      const { stream: __, ...torn } = read([whole.subarray(0, at), whole.subarray(at)]);
      if (JSON.stringify(torn) !== JSON.stringify(expected)) expect({ at, ...torn }).toEqual({ at, ...expected });
    }
    const { stream: __, ...single } = read([...whole].map((byte) => Buffer.of(byte)));
    expect(single).toEqual(expected);
  });

  test('may end anywhere without an error, and knows what was told until then', () => {
    for (let at = 0; at < whole.length; at += 7) read([whole.subarray(0, at)]);
    const { facts, result } = read([whole.subarray(0, whole.indexOf('{"type":"result"'))]);
    expect(result).toBeUndefined();
    expect(facts).toEqual({
      session_id: '5e55-1',
      model: 'claude-sonnet-4-5-20250929',
      turns: 3,
      tokens: { input: 21, output: 56, cache_read: 430, cache_creation: 50 },
    });
  });

  test('may hold anything', () => {
    const type = fc.constantFrom('system', 'assistant', 'user', 'result', 'rate_limit_event');
    const message = fc.record({
      content: fc.array(fc.record({ type: fc.constantFrom('text', 'tool_use'), input: fc.json() })),
    });
    const events = fc.tuple(type, fc.oneof(message, fc.jsonValue()), fc.dictionary(fc.string(), fc.jsonValue()));
    fc.assert(
      fc.property(events, ([type, message, rest]) => {
        lines({ subtype: 'init', ...rest, type, message, rate_limit_info: message, usage: rest, result: message });
      }),
    );
  });

  test('that tells nothing is no run', () => {
    expect(lines('', '  ', 'hello').facts).toBeUndefined();
    expect(lines('hello').stdout).toBe('hello\n');
  });

  test('leaves out a line that is too long, and reads on', () => {
    const { system, result } = lines('x'.repeat(5_000_000), { type: 'result', subtype: 'success', result: 'fine' });
    expect(system).toBe('[agent] a line that is too long was left out\n');
    expect(result).toMatchObject({ succeeded: true });
  });

  test('has its last result count, with the amounts of the whole run', () => {
    const { result, facts, stdout, events } = read([recorded('two-results')]);
    expect(result).toMatchObject({ succeeded: false, error: 'The agent failed during its work: Broke later' });
    expect(facts).toMatchObject({ cost_usd: 0.75, turns: 3, result: 'First', subtype: 'error_during_execution' });
    expect(stdout).toBe('More.\n');
    expect(events).toEqual(['result', 'result']);
  });

  test.each([
    ['max-turns', 'The agent has used up its turns: Reached maximum number of turns (3)'],
    ['max-budget', 'The agent has used up its budget'],
    ['broken-off', 'The agent failed during its work: API Error: 500'],
  ])('of %s ends with the reason', (name, error) => {
    const { result, facts } = read([recorded(name)]);
    expect(result).toMatchObject({ succeeded: false, error });
    expect(facts).toMatchObject({ is_error: true, cost_usd: 0.5, turns: 3 });
  });

  test.each<[object, boolean | undefined, string | null]>([
    [{ subtype: 'success' }, true, null],
    [{ is_error: false }, true, null],
    [{ subtype: 'success', is_error: true, result: '\n Bad key \n' }, false, 'Bad key'],
    [{ subtype: 'success', is_error: true }, false, 'The agent reported an error'],
    [
      { subtype: 'error_max_structured_output_retries', is_error: false },
      false,
      'The agent ended with error_max_structured_output_retries',
    ],
    [
      { subtype: 'error_during_execution', is_error: false, errors: [null, 7] },
      false,
      'The agent failed during its work',
    ],
    [{ is_error: true, error: 'Old style' }, false, 'Old style'],
    [{ is_error: true, result: 'x'.repeat(1_000) }, false, 'x'.repeat(200)],
    [{}, undefined, null],
    [{ subtype: 7, is_error: 'yes' }, undefined, null],
  ])('takes the result %j as succeeded: %s, %s', (said, succeeded, error) => {
    const { result, events } = lines({ type: 'result', ...said });
    expect(result?.succeeded).toBe(succeeded);
    expect(result?.error ?? null).toBe(error);
    expect(events).toEqual(succeeded === undefined ? [] : ['result']);
  });

  test('has only a bounded result text', () => {
    const { facts } = lines({ type: 'result', subtype: 'success', result: 'x'.repeat(1_000_000) });
    expect(facts?.result).toHaveLength(65_536);
  });

  test('names no conversation that could be taken for an option', () => {
    for (const session_id of ['--help', '', 'a b', 'x'.repeat(200), 7, '../x']) {
      expect(lines({ type: 'result', subtype: 'success', session_id }).facts).not.toHaveProperty('session_id');
    }
  });

  test('says when the limit is reached: by its event, and by an error', () => {
    const event = (info: object) => ({ type: 'rate_limit_event', rate_limit_info: info });
    const rejected = { status: 'rejected', resetsAt: 2_000_000_000 };
    const until = ['limit reached', 2_000_000_000_000];
    expect(lines(event(rejected)).events).toEqual([until]);
    expect(lines(event({ ...rejected, isUsingOverage: true })).events).toEqual(['limit over']);
    expect(lines(event({ ...rejected, overageStatus: 'allowed' })).events).toEqual(['limit over']);
    expect(lines(event({ status: 'rejected' })).events).toEqual([['limit reached', undefined]]);
    const failed = (result: string) => ({ type: 'result', subtype: 'success', is_error: true, result });
    expect(lines(failed('Claude AI usage limit reached|2000000000')).events).toEqual([until, 'result']);
    const warned = event({ status: 'allowed_warning', resetsAt: 2_000_000_000 });
    expect(lines(warned, failed("You've hit your session limit · resets 8pm")).events).toEqual([
      'limit over',
      until,
      'result',
    ]);
    expect(lines(failed('5-hour limit reached ∙ resets 3pm')).events).toEqual([['limit reached', undefined], 'result']);
    expect(lines(failed('The limit of the list is 5')).events).toEqual(['result']);
    expect(lines(failed('Context limit reached')).events).toEqual(['result']);
    const said = { type: 'result', subtype: 'success', result: 'usage limit reached|2000000000' };
    expect(lines(said).events).toEqual(['result']);
  });
});

describe('its progress', () => {
  const turn = (id: string) => JSON.stringify({ type: 'assistant', message: { id, content: [] } });
  const todos = (...statuses: string[]) => ({
    type: 'assistant',
    message: {
      id: 't',
      content: [{ type: 'tool_use', name: 'TodoWrite', input: { todos: statuses.map((status) => ({ status })) } }],
    },
  });
  const after = (maxTurns: number | undefined, texts: (string | object)[]) =>
    read(
      texts.map((text) => Buffer.from(`${typeof text === 'string' ? text : JSON.stringify(text)}\n`)),
      maxTurns,
    ).stream.progress.percent;

  test('is told by its turns when it may take so many, and stays below 100', () => {
    expect(after(undefined, [turn('a'), turn('b')])).toBeUndefined();
    expect(after(4, [turn('a')])).toBeUndefined();
    expect(after(4, [turn('a'), turn('a'), turn('b')])).toBe(25);
    expect(after(2, ['a', 'b', 'c', 'd'].map(turn))).toBe(99);
  });

  test('is rather told by the list that it keeps, and never goes back', () => {
    expect(after(100, [todos('completed', 'pending', 'pending'), turn('a'), turn('b')])).toBe(33);
    expect(after(undefined, [todos('completed', 'pending'), todos('completed', 'pending', 'pending', 'pending')])).toBe(
      50,
    );
    expect(after(undefined, [todos('completed', 'completed')])).toBe(99);
  });
});
