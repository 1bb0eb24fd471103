import type { Job } from '@claude-cli/proto/platform/v1/executions';
import type { Priority } from '@claude-cli/shared/amqp/topology';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Harness } from '../testing/harness.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await Harness.start();
});

afterAll(() => harness[Symbol.asyncDispose]());

afterEach(() => harness.reset());

describe('an execution', () => {
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
