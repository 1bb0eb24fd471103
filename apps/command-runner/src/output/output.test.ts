import { readFileSync } from 'node:fs';
import { createLogger } from '@claude-cli/shared/logger';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { RunningProcess } from '../processes/running-process.ts';
import { shellProgram } from '../processes/shell.ts';
import { as, Harness, type TestRunner } from '../testing/harness.ts';
import { BoundedOutput } from './bounded-output.ts';
import { type Batch, OutputRecorder } from './output-recorder.ts';

const log = createLogger('test', 'silent');
let harness: Harness;
let runner: TestRunner;

beforeAll(async () => {
  harness = await Harness.start();
  runner = await harness.runner();
});

afterAll(() => harness[Symbol.asyncDispose]());

const batch = (sequence: number, content = `${sequence}\n`): Batch => ({
  sequence,
  pieces: [{ stream: 'stdout', content, timestamp: 'now' }],
  bytes: content.length,
});

test('a command that writes without end waits while nothing is taken from it', async () => {
  let blocked = () => {};
  const block = new Promise<void>((resolve) => {
    blocked = resolve;
  });
  let pauses = 0;
  const output = new OutputRecorder({
    limitBytes: 1_048_576,
    store: () => block,
    settle: async () => {},
    publish: async () => {},
    pause: () => {
      pauses++;
      endless.pause();
    },
    resume: () => endless.resume(),
  });
  const endless = new RunningProcess(runner.ctx.spawner, {
    ...shellProgram('yes'),
    sandboxed: false,
    limits: {},
    cwd: '/',
    env: { PATH: process.env.PATH },
    read: (stream, text) => output.write(stream, text),
  });
  await until('it has to wait', () => pauses > 0);
  await until('its write blocks', () => /\) S /.test(readFileSync(`/proc/${endless.pid}/stat`, 'latin1')));
  // What was under way between the processes still comes.
  let before = 0;
  await until('nothing more comes', () => {
    const seen = before;
    before = output.bytes;
    return before === seen;
  });
  expect(output.unflushed).toBeLessThan(2 * 1_048_576);
  blocked();
  await until('it may go on', () => output.bytes > before + 1_048_576);
  endless.stop();
  expect(await endless.ended).toMatchObject({ exit_code: -15 });
  await output.close();
});

test('50 MB of output pass through and leave the first and the last part', async () => {
  const request = { command: 'echo begin; yes | head -c 50M; echo end', environment: {}, stream_output: false };
  const { command_id } = await runner.commands.executeCommand(request, as('ann'));
  const end = await runner.ctx.running.get(command_id)?.ended;
  expect(end).toMatchObject({ status: 'completed', output_bytes: 50 * 1_048_576 + 10, output_truncated: true });
  const { output } = await runner.commands.getCommandStatus({ command_id }, as('ann'));
  const stored = output.filter((piece) => piece.stream === 'stdout');
  expect(stored.at(0)?.content).toMatch(/^begin\n/);
  expect(stored.at(-1)?.content).toMatch(/end\n$/);
  expect(stored.reduce((sum, piece) => sum + piece.content.length, 0)).toBeLessThanOrEqual(1_048_576);
});

test('what a flood leaves behind is stored while the command still runs', async () => {
  const request = { command: 'seq 1 500000; sleep 60', environment: {}, stream_output: false };
  const { command_id } = await runner.commands.executeCommand(request, as('ann'));
  await until('the last line is stored', async () => {
    const { output, status } = await runner.commands.getCommandStatus({ command_id }, as('ann'));
    return status === 'running' && output.at(-1)?.content.endsWith('\n500000\n');
  });
  await runner.commands.cancelCommand({ command_id }, as('ann'));
});

test('characters that are written in parts are not torn, wherever they are split', async () => {
  const text = 'aä€😀';
  const octal = (bytes: Uint8Array) => [...bytes].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
  const bytes = Buffer.from(text);
  const splits = [...bytes].map(
    (_, at) => `printf '${octal(bytes.subarray(0, at))}'; sleep 0.05; printf '${octal(bytes.subarray(at))}\\n'`,
  );
  const { command_id } = await runner.commands.executeCommand(
    { command: splits.join('; '), environment: {}, stream_output: true },
    as('ann'),
  );
  await runner.ctx.running.get(command_id)?.ended;
  const { output } = await runner.commands.getCommandStatus({ command_id }, as('ann'));
  expect(output.map((piece) => piece.content).join('')).toBe(`${text}\n`.repeat(bytes.length));
  await until('all is shown', () => {
    const shown = harness.shown(command_id).flatMap(({ pieces }) => pieces);
    return shown.map(({ content }) => content).join('') === `${text}\n`.repeat(bytes.length);
  });
});

test('output that the database does not take in time is let go, noted, and later output is stored again', async () => {
  const { outputs } = runner.ctx;
  let away = true;
  const store = Object.create(outputs, {
    put: { value: (id: string, b: Batch) => (away ? Promise.reject(new Error('away')) : outputs.put(id, b)) },
  });
  const output = new BoundedOutput(store, 'run-1', 1_048_576, log, { firstMs: 100, laterMs: 0, attemptMs: 100 });
  await output.add(batch(1), false);
  await output.add(batch(2), false);
  away = false;
  await output.add(batch(3), false);
  expect(output.truncated).toBe(true);
  expect((await outputs.piecesOf('run-1')).map((piece) => piece.content)).toEqual([
    '[4 bytes of output could not be stored]\n',
    '3\n',
  ]);
});

test('every question to the database is answered from an index', async () => {
  const { commands, outputs, runner: me } = runner.ctx;
  const questions = {
    running: commands.running({}, 100),
    'own running': commands.running({ user_id: 'ann' }, 100),
    history: commands.history({}, { limit: 50, offset: 0 }),
    'own history': commands.history({ user_id: 'ann' }, { limit: 50, offset: 0 }),
    suspects: commands.suspects(me, new Date()),
    heartbeat: commands.model.find({ status: 'running', runner_id: me.runner_id }),
    reports: commands.model.find({ 'outbox.time': { $lt: 'now' } }),
    output: outputs.model.find({ run_id: 'run-1' }).sort({ sequence: 1 }),
  };
  for (const [name, question] of Object.entries(questions)) {
    const plan = JSON.stringify(await question.explain('queryPlanner'));
    expect([name, /IXSCAN/.test(plan), /COLLSCAN/.test(plan)]).toEqual([name, true, false]);
  }
});
