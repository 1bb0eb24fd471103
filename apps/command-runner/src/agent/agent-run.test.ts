import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { AgentOptions } from '@claude-cli/proto/platform/v1/executions';
import type { OutputPiece } from '@claude-cli/shared/events';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Harness } from '../testing/harness.ts';

let harness: Harness;
let bin: string;
const usualPath = process.env.PATH;

beforeAll(async () => {
  harness = await Harness.start({ RUNNER_ISOLATION: 'plain' });
  bin = await mkdtemp(join(tmpdir(), 'test-agent-'));
  const fake = `${import.meta.dirname}/testing/fake-claude.ts`;
  await writeFile(join(bin, 'claude'), `#!/bin/sh\nexec '${process.execPath}' '${fake}' "$@"\n`);
  await chmod(join(bin, 'claude'), 0o755);
  process.env.PATH = `${bin}${delimiter}${usualPath}`;
});

afterAll(async () => {
  process.env.PATH = usualPath;
  await rm(bin, { recursive: true });
  await harness[Symbol.asyncDispose]();
});

afterEach(() => harness.reset());

/** Let the agent play a stream, and wait for the report. */
async function play(prompt: string, agent?: AgentOptions) {
  const { execution_id } = await harness.execute(undefined, { prompt, ...(agent ? { agent } : {}) });
  return { ...(await harness.finished(execution_id)), shown: shownOf(execution_id) };
}

function shownOf(executionId: string) {
  const pieces = harness.shown(executionId).flatMap((batch) => batch.pieces);
  const textOf = (stream: OutputPiece['stream']) =>
    pieces.flatMap((piece) => (piece.stream === stream ? [piece.content] : [])).join('');
  return { stdout: textOf('stdout'), stderr: textOf('stderr'), system: textOf('system') };
}

describe('the agent', () => {
  test('works with the options of its project, shows what it does and reports how it went', async () => {
    await harness.runner();
    const settings = {
      permission_mode: 'acceptEdits',
      model: 'sonnet',
      max_turns: 5,
      max_budget_usd: 1.5,
      ignored: [],
    };
    const { shown, ...report } = await play('success args chunk=5', { settings, notes: ['mind this'] });
    expect(report).toMatchObject({
      status: 'completed',
      exit_code: 0,
      error: null,
      retry_at: null,
      result: {
        result: 'All done.',
        subtype: 'success',
        is_error: false,
        cost_usd: 0.25,
        turns: 4,
        duration_ms: 5123,
        session_id: '5e55-1',
        resumed_session_id: null,
        model: 'claude-sonnet-4-5-20250929',
        tokens: { input: 14, output: 54, cache_read: 430, cache_creation: 50 },
      },
    });
    expect(shown.stdout).toBe('I will look – déjà vu 🙂\nA helper speaks.\nAll done.\n');
    expect(shown.system).toMatch(/^\[agent\] mind this\n\[agent\] claude-sonnet-4-5\n\[tool\] Bash: ls -la \/tmp\n/);
    expect(JSON.parse(shown.stderr)).toEqual([
      ...['-p', 'success args chunk=5', '--output-format', 'stream-json', '--verbose'],
      ...['--permission-mode', 'acceptEdits', '--model', 'sonnet', '--max-turns', '5', '--max-budget-usd', '1.5'],
    ]);
  });

  test('survives everything that is wrong with its stream', async () => {
    await harness.runner();
    const { shown, ...report } = await play('broken chunk=7');
    expect(report).toMatchObject({
      status: 'completed',
      result: { result: 'Survived', cost_usd: 0.5, turns: 3, session_id: '5e55-1' },
    });
    expect(shown.stdout).toContain('not JSON at all\n');
    expect(shown.stdout).toContain('bad \ufffd\ufffd bytes\n');
    expect(shown.stdout).toContain('words after the result\n');
    const huge = await play('huge-line');
    expect(huge).toMatchObject({ status: 'completed', result: { result: 'Read on' } });
    expect(huge.shown.system).toContain('a line that is too long was left out');
  });

  test.each([
    ['max-turns', 'The agent has used up its turns: Reached maximum number of turns (3)', 0],
    ['max-budget', 'The agent has used up its budget', 0],
    ['not-signed-in', 'Invalid API key · Please run /login', 1],
    ['no-result', 'Exited with code 3: no result of the agent: Segmentation something', 3],
  ])('that plays %s has failed: %s', async (name, error, exit_code) => {
    await harness.runner();
    const report = await play(name);
    expect(report).toMatchObject({ status: 'failed', error, exit_code, retry_at: null });
    expect(report.result).toMatchObject({ session_id: '5e55-1', model: 'claude-sonnet-4-5' });
  });

  test('that ends well without a result is completed, and its output says so', async () => {
    await harness.runner();
    const report = await play('no-result-well');
    expect(report).toMatchObject({ status: 'completed', exit_code: 0, result: { turns: 1, subtype: null } });
    expect(report.shown.system).toContain('[agent] ended without a result\n');
  });

  test('that is not installed is said to be missing', async () => {
    await harness.runner({ CLAUDE_BINARY: 'no-such-claude' });
    expect(await play('success')).toMatchObject({
      status: 'failed',
      exit_code: 127,
      error: 'Command not found: no-such-claude',
      result: null,
    });
  });

  test('is cancelled and timed out like a command, and what is known of its run is reported', async () => {
    await harness.runner();
    const job = await harness.execute(undefined, { prompt: 'working' });
    await until('it works', () => shownOf(job.execution_id).system !== '');
    await harness.bus.publishControl({ order: 'cancel', command_id: job.execution_id });
    expect(await harness.finished(job.execution_id)).toMatchObject({
      status: 'cancelled',
      exit_code: -15,
      result: { session_id: '5e55-1' },
    });
    const late = await harness.execute(undefined, { prompt: 'working', timeout_ms: 700 });
    expect(await harness.finished(late.execution_id)).toMatchObject({ status: 'timed_out', retry_at: null });
  });

  test('tells its progress with the lease', async () => {
    await harness.runner();
    const { execution_id } = await harness.execute(undefined, { prompt: 'half-done' });
    await until('progress is told', () => harness.standIn.renewals.some((r) => r.progress_percentage === 50));
    await harness.bus.publishControl({ order: 'cancel', command_id: execution_id });
    await harness.finished(execution_id);
  });
});

describe('the watchdog', () => {
  test('ends an agent that is silent for too long', async () => {
    await harness.runner({ AGENT_SILENCE_SECONDS: '1' });
    const started = performance.now();
    expect(await play('silent')).toMatchObject({
      status: 'failed',
      error: 'The agent wrote nothing for 1 s',
      exit_code: -9,
      retry_at: null,
    });
    expect(performance.now() - started).toBeGreaterThan(1_000);
  });

  test('ends an agent that stays after its result, which decides all the same', async () => {
    await harness.runner({ AGENT_EXIT_SECONDS: '1' });
    const done = await play('lingering');
    expect(done).toMatchObject({ status: 'completed', exit_code: 0, error: null, result: { result: 'Done' } });
    expect(done.shown.system).toContain('[agent] stayed after its result and was stopped\n');
    expect(await play('lingering-error')).toMatchObject({ status: 'failed', error: 'Not done', exit_code: -15 });
  });

  test('leaves a result alone that came before the time was up', async () => {
    await harness.runner();
    const job = await harness.execute(undefined, { prompt: 'lingering', timeout_ms: 1_500 });
    expect(await harness.finished(job.execution_id)).toMatchObject({ status: 'completed', exit_code: 0 });
  });
});

describe('the limit of the account', () => {
  test('has the run tried again when it is reset, and holds agent work until then while commands go on', async () => {
    const runner = await harness.runner();
    const report = await play('limited');
    expect(report).toMatchObject({ status: 'failed', error: "You've hit your limit · resets 8pm (UTC)" });
    const until = new Date(report.retry_at ?? '');
    expect(until.getTime()).toBeGreaterThan(Date.now());
    expect(runner.ctx.agentHold.until).toEqual(until);
    const command = await harness.execute('echo go on');
    expect(await harness.finished(command.execution_id)).toMatchObject({ status: 'completed' });
    expect(harness.standIn.claims.at(-1)).toMatchObject({ no_agents: true, no_agents_until: until.toISOString() });
    runner.ctx.agentHold.release();
    await harness.finished((await harness.execute('true')).execution_id);
    expect(harness.standIn.claims.at(-1)).toMatchObject({ no_agents: false });
  });

  test('holds nothing when the run succeeded in spite of it', async () => {
    const runner = await harness.runner();
    expect(await play('limited-but-done')).toMatchObject({ status: 'completed', retry_at: null });
    expect(runner.ctx.agentHold.until).toBeUndefined();
  });

  test('has nothing to do with limits that the project has set', async () => {
    await harness.runner();
    expect(await play('limited-own')).toMatchObject({ status: 'failed', retry_at: null });
  });
});

describe('a conversation', () => {
  test('is gone on with', async () => {
    await harness.runner();
    const { shown, result } = await play('success args', { resume_session_id: '5e55-0', notes: [] });
    expect(JSON.parse(shown.stderr)).toEqual(expect.arrayContaining(['--resume', '5e55-0']));
    expect(result).toMatchObject({ session_id: '5e55-1', resumed_session_id: '5e55-0' });
  });

  test('that is not there lets the run be tried again at once, without it', async () => {
    await harness.runner();
    const report = await play('success', { resume_session_id: 'gone', notes: [] });
    expect(report).toMatchObject({
      status: 'failed',
      error: 'The agent failed during its work: No conversation found with session ID: gone',
      result: { conversation_is_gone: true, session_id: null, resumed_session_id: 'gone' },
    });
    expect(new Date(report.retry_at ?? '').getTime()).toBeLessThanOrEqual(Date.now());
  });
});
