import { join } from 'node:path';
import type { Job } from '@claude-cli/proto/platform/v1/executions';
import type { Priority } from '@claude-cli/shared/amqp/topology';
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

  test('is asked for once for each token, and tokens for which there is nothing to run are dropped', async () => {
    await harness.runner();
    for (const _ of [1, 2, 3]) await harness.bus.publishJob('normal');
    const job = await harness.execute('true');
    await harness.finished(job.execution_id);
    await until('all were asked for', () => harness.standIn.claims.length === 4);
    await until('the queue is empty', async () => (await harness.queue('normal')).messageCount === 0);
    expect(harness.events.filter((event) => event.type === 'execution.finished')).toHaveLength(1);
  });

  test('is asked for without a token while there is a backlog, and with tokens again when there is none', async () => {
    await harness.runner({ RUNNER_CONCURRENCY: '4' });
    const { standIn } = harness;
    standIn.backlogFrom = 2;
    const jobs = Array.from({ length: 12 }, () => harness.queueUnannounced('true'));
    // One of its slots comes by this token, the others by what they are told then.
    jobs.push(await harness.execute('true'));
    await until('what is left is no backlog', () => standIn.granted.length >= jobs.length - 1);
    await harness.bus.publishJob('normal');
    for (const { execution_id } of jobs) await harness.finished(execution_id);
    expect(standIn.granted).toHaveLength(jobs.length);
    await until('the queue is empty', async () => (await harness.queue('normal')).messageCount === 0);
    const asked = standIn.claims.length;
    const next = await harness.execute('true');
    await harness.finished(next.execution_id);
    expect(standIn.claims.length).toBe(asked + 1);
  });

  test('is not asked for again and again where nothing of a backlog can be had', async () => {
    await harness.runner({ RUNNER_CONCURRENCY: '2' });
    const { standIn } = harness;
    standIn.backlogFrom = 0;
    const job = await harness.execute('true');
    await harness.finished(job.execution_id);
    const from = performance.now();
    const asked = standIn.claims.length;
    await until('two doubts are over', () => performance.now() - from > 600);
    expect(standIn.claims.length - asked).toBeLessThanOrEqual(8);
  });

  test('stays in its queue while task-service is away, without a storm of claims', async () => {
    await harness.runner();
    harness.standIn.away = true;
    const job = await harness.execute('true');
    await until('it was asked for', () => harness.standIn.claims.length >= 2);
    expect(harness.standIn.claims.length).toBeLessThan(6);
    harness.standIn.away = false;
    expect(await harness.finished(job.execution_id)).toMatchObject({ status: 'completed' });
  });

  test('is run by who asked for it when the answer was lost, because the question is asked again', async () => {
    await harness.runner({ RUNNER_CONCURRENCY: '1' });
    harness.standIn.lostAnswers = 2;
    const job = await harness.execute('true');
    await harness.finished(job.execution_id);
    const claim_ids = harness.standIn.claims.map(({ claim_id }) => claim_id);
    expect(new Set(claim_ids.slice(0, 3)).size).toBe(1);
    expect(harness.standIn.granted).toEqual([{ priority: 'normal', execution_id: job.execution_id }]);
  });

  test('is run although "none" was answered before the asking that took it came through', async () => {
    await harness.runner({ RUNNER_CONCURRENCY: '1' });
    harness.standIn.lostAnswers = 1;
    harness.standIn.overtaken = 2;
    const job = await harness.execute('true');
    await harness.finished(job.execution_id);
    // The attempt that was lost, the one that came before it, and looks at what was granted meanwhile.
    const [{ claim_id = '' } = {}, ...others] = harness.standIn.claims;
    expect(others).toMatchObject([{ claim_id }]);
    expect(
      harness.standIn.waits.filter(({ maybe_granted }) => maybe_granted).map(({ claim_ids }) => claim_ids),
    ).toEqual([[claim_id], [claim_id]]);
  });

  test.each([false, true])(
    'is asked for together with others while a call is under way (of an earlier version: %s)',
    async (hearsOne) => {
      // Of an idle runner, half of the slots hold tokens before the first is claimed.
      await harness.runner({ RUNNER_CONCURRENCY: '12' });
      const { standIn } = harness;
      const { promise, resolve } = Promise.withResolvers<void>();
      standIn.gate = promise;
      standIn.hearsOne = hearsOne;
      const jobs = await Promise.all(Array.from({ length: 6 }, () => harness.execute('true')));
      await until('all tokens are taken', async () => (await harness.queue('normal')).messageCount === 0);
      await until('one is asked for', () => standIn.calls.length === 1);
      resolve();
      for (const { execution_id } of jobs) await harness.finished(execution_id);
      expect(new Set(standIn.claims.map(({ claim_id }) => claim_id)).size).toBe(6);
      expect(standIn.granted).toHaveLength(6);
      // Those whose tokens have come by the first answer go together.
      if (hearsOne) expect(standIn.claims).toHaveLength(6);
      else expect(standIn.calls.length).toBeLessThan(6);
    },
  );

  test('of the agent is not asked for while the limit of its account is reached', async () => {
    const runner = await harness.runner();
    const until = new Date(Date.now() + 60_000);
    runner.ctx.agentHold.extend(until);
    const job = await harness.execute('true');
    await harness.finished(job.execution_id);
    expect(harness.standIn.claims).toMatchObject([{ no_agents: true, no_agents_until: until.toISOString() }]);
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

describe('the queues', () => {
  test('are served high before normal before low when executions have piled up', async () => {
    const order: { priority: Priority; job: Job }[] = [];
    for (const priority of ['low', 'normal', 'high'] as const) {
      for (const _ of [1, 2]) order.push({ priority, job: await harness.execute('true', { priority }) });
    }
    await harness.runner({ RUNNER_CONCURRENCY: '1' });
    await Promise.all(order.map(({ job }) => harness.finished(job.execution_id)));
    expect(harness.standIn.granted.map(({ priority }) => priority)).toEqual([
      'high',
      'high',
      'normal',
      'normal',
      'low',
      'low',
    ]);
  });

  test('keep what a full runner cannot run, and another runner takes it', async () => {
    const full = await harness.runner({ RUNNER_CONCURRENCY: '1' });
    const long = await harness.execute('sleep 60');
    await until('it runs', () => full.ctx.running.get(long.execution_id)?.pid);
    const waiting = await harness.execute('true');
    await until('the runner holds nothing', async () => {
      const { messageCount, consumerCount } = await harness.queue('normal');
      return messageCount === 1 && consumerCount === 0;
    });
    await harness.runner();
    expect(await harness.finished(waiting.execution_id)).toMatchObject({ status: 'completed' });
    full.ctx.running.get(long.execution_id)?.stop('cancelled');
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
