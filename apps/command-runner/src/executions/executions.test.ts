import { join } from 'node:path';
import type { Job } from '@claude-cli/proto/platform/v1/executions';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { endsPerSlot } from '../context.ts';
import { as, Harness } from '../testing/harness.ts';
import { isAlive } from '../testing/is-alive.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await Harness.start();
});

afterAll(() => harness[Symbol.asyncDispose]());

afterEach(() => harness.reset());

describe('an execution', () => {
  test('is claimed, run in the directory of its project, shown live and reported', async () => {
    const runner = await harness.runner();
    const job = await harness.execute('pwd; echo $CLAUDE_CLI_TASK_ID $CLAUDE_CLI_PROJECT_ID $CLAUDE_CLI_EXECUTION_ID');
    const result = await harness.finished(job.execution_id);
    expect(result).toMatchObject({
      task_id: job.task_id,
      generation: 1,
      status: 'completed',
      exit_code: 0,
      error: null,
      result: null,
    });
    const lines = harness.shown(job.execution_id).flatMap((batch) => batch.pieces.map((piece) => piece.content));
    expect(lines).toEqual([
      `${join(runner.ctx.workspace.root, harness.project)}\n`,
      `${job.task_id} ${job.project_id} ${job.execution_id}\n`,
    ]);
    expect(result.output_bytes).toBe(Buffer.byteLength(lines.join('')));
    const types = harness.events.map((event) => event.type);
    expect(types.lastIndexOf('command.output')).toBeLessThan(types.indexOf('execution.finished'));
    expect(harness.standIn.claims).toEqual([
      {
        priority: 'normal',
        claim_id: expect.any(String),
        more_claim_ids: [],
        runner_id: runner.ctx.runner.runner_id,
        no_agents: false,
        no_agents_until: undefined,
      },
    ]);
  });

  test('is seen by members of its project and by nobody else', async () => {
    const runner = await harness.runner();
    harness.standIn.members.add('mia');
    const { execution_id: command_id, task_id } = await harness.execute('echo hello');
    await harness.finished(command_id);
    expect(await runner.commands.getCommandStatus({ command_id }, as('mia'))).toMatchObject({
      status: 'completed',
      task_id,
      output: [{ content: 'hello\n' }],
    });
    await expect(runner.commands.getCommandStatus({ command_id }, as('eve'))).rejects.toMatchObject({
      code: 'PROJECT_ACCESS_DENIED',
    });
  });

  test('that is tried again replaces the record and the output of the earlier attempt', async () => {
    const runner = await harness.runner();
    harness.standIn.members.add('mia');
    const job = await harness.execute('echo first; exit 1');
    expect(await harness.finished(job.execution_id)).toMatchObject({ status: 'failed', exit_code: 1 });
    await harness.execute('echo second', { ...job, command: 'echo second', generation: 2 });
    await until('the second report comes', () =>
      harness.events.some((e) => e.type === 'execution.finished' && e.data.generation === 2),
    );
    const request = { command_id: job.execution_id };
    expect(await runner.commands.getCommandStatus(request, as('mia'))).toMatchObject({
      status: 'completed',
      output: [{ content: 'second\n' }],
    });
  });

  test('is cancelled by an order to all runners', async () => {
    await harness.runner();
    const job = await harness.execute('sleep 60 & echo $!; wait');
    const pid = Number(await until('it runs', () => harness.shown(job.execution_id)[0]?.pieces[0]?.content));
    await harness.bus.publishControl({ order: 'cancel', command_id: job.execution_id });
    expect(await harness.finished(job.execution_id)).toMatchObject({ status: 'cancelled', exit_code: -15 });
    expect(isAlive(pid)).toBe(false);
  });

  test('is timed out', async () => {
    await harness.runner();
    const job = await harness.execute('sleep 60', { timeout_ms: 200 });
    expect(await harness.finished(job.execution_id)).toMatchObject({ status: 'timed_out', exit_code: -15 });
  });
});

describe('the lease', () => {
  test('is renewed while the execution runs', async () => {
    await harness.runner();
    const job = await harness.execute('sleep 2.5', { lease_ms: 1_500 });
    expect(await harness.finished(job.execution_id)).toMatchObject({ status: 'completed' });
    expect(harness.standIn.renewals.length).toBeGreaterThanOrEqual(3);
  });

  test('is asked for again when a call is not answered', async () => {
    await harness.runner();
    const { promise, resolve } = Promise.withResolvers<void>();
    harness.standIn.renewalGates.push(promise);
    const job = await harness.execute('sleep 7', { lease_ms: 6_000 });
    expect(await harness.finished(job.execution_id)).toMatchObject({ status: 'completed' });
    resolve();
  });

  test('that is refused kills the process, and nothing is reported', async () => {
    const runner = await harness.runner();
    const job = await harness.execute('sleep 60', { lease_ms: 300 });
    const running = await until('it runs', () => runner.ctx.running.get(job.execution_id));
    harness.standIn.held = false;
    expect(await running.ended).toMatchObject({ status: 'cancelled', exit_code: -15 });
    await running.reported;
    expect(harness.events.filter((event) => event.type === 'execution.finished')).toEqual([]);
  });

  test('may go without renewal until it has expired, then the process is killed', async () => {
    const runner = await harness.runner();
    const started = performance.now();
    const job = await harness.execute('sleep 60', { lease_ms: 600 });
    const running = await until('it runs', () => runner.ctx.running.get(job.execution_id));
    harness.standIn.away = true;
    await running.ended;
    expect(performance.now() - started).toBeGreaterThan(550);
    expect(harness.standIn.renewals.length).toBeGreaterThan(1);
  });
});

test('the next executions start while the ends of those before are being stored, until these are too many', async () => {
  const runner = await harness.runner({ RUNNER_CONCURRENCY: '1' });
  const { promise: storeWorks, resolve: mend } = Promise.withResolvers<void>();
  const { finish } = runner.ctx.commands;
  runner.ctx.commands.finish = async (...args) => {
    await storeWorks;
    return finish.apply(runner.ctx.commands, args);
  };
  const jobs: Job[] = [];
  for (let n = 0; n < endsPerSlot + 2; n++) jobs.push(await harness.execute('true'));
  const { running } = runner.ctx;
  const [last] = jobs.slice(-1);
  await until('all but the last have ended', async () => {
    const begun = jobs.slice(0, -1).map(({ execution_id }) => running.get(execution_id));
    for (const run of begun) await run?.exited;
    return begun.every((run) => run?.pid);
  });
  expect(runner.ctx.executionSlots.free).toBe(0);
  expect(running.get(last?.execution_id ?? '')).toBeUndefined();
  mend();
  for (const job of jobs) expect(await harness.finished(job.execution_id)).toMatchObject({ status: 'completed' });
});

describe('the report', () => {
  test('comes although the broker was away when the execution ended', async () => {
    const runner = await harness.runner();
    const publish = runner.ctx.bus.publishEvent;
    runner.ctx.bus.publishEvent = () => Promise.reject(new Error('the broker is not connected'));
    const job = await harness.execute('sleep 0.3', { lease_ms: 1_500 });
    const running = await until('it runs', () => runner.ctx.running.get(job.execution_id));
    await running.ended;
    const before = harness.standIn.renewals.length;
    await until('the lease is kept', () => harness.standIn.renewals.length > before);
    runner.ctx.bus.publishEvent = publish;
    expect(await harness.finished(job.execution_id)).toMatchObject({ status: 'completed' });
  });
});

test('a broken connection to the broker costs neither running nor waiting executions', async () => {
  const runner = await harness.runner({ RUNNER_CONCURRENCY: '1' });
  const running = await harness.execute('sleep 0.3');
  await until('it runs', () => runner.ctx.running.get(running.execution_id)?.pid);
  let broken = false;
  const own = await runner.ctx.bus.openChannel(async (channel) => {
    if (broken) return;
    broken = true;
    // What amqplib does not tell in its types: a channel knows its connection, and that its socket.
    const { connection } = channel as unknown as { connection: { stream: { destroy(error: Error): void } } };
    connection.stream.destroy(new Error('connection reset'));
  });
  const waiting = await harness.execute('true');
  expect(await harness.finished(running.execution_id)).toMatchObject({ status: 'completed' });
  expect(await harness.finished(waiting.execution_id)).toMatchObject({ status: 'completed' });
  await own[Symbol.asyncDispose]();
});
