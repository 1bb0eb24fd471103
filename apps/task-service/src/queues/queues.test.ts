import { setTimeout } from 'node:timers/promises';
import { eventPattern } from '@claude-cli/shared/event-routing';
import type { AnyEvent, EventType } from '@claude-cli/shared/events';
import { newId } from '@claude-cli/shared/ids';
import { startService } from '@claude-cli/shared/service/service';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { claimExecution } from '../executions/claim-execution.ts';
import { wakeDue } from '../executions/sweep.ts';
import { taskService } from '../service.ts';
import { someone, startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { type PlayedRunner, playRunner } from '../testing/played-runner.ts';
import { recentOverview } from './overview.ts';

describe('queues', () => {
  let platform: TestPlatform;
  let runner: PlayedRunner;
  let watching: AsyncDisposable;
  const events: AnyEvent[] = [];

  beforeAll(async () => {
    platform = await startTestPlatform({ QUEUE_LIMIT: '30' });
    runner = await playRunner(platform);
    const types = ['queue.paused', 'queue.resumed', 'queue.cleared'] as const satisfies EventType[];
    watching = await platform.ctx.bus.subscribe<AnyEvent>(
      { exchange: 'events', patterns: types.map((type) => eventPattern(type)), prefetch: 10 },
      async (event) => void events.push(event),
    );
  });
  beforeEach(async () => {
    events.length = 0;
    await runner.purge();
  });
  afterEach(async () => {
    for (const queue_name of ['high_priority', 'normal_priority', 'low_priority'] as const) {
      await platform.queues.resumeQueue({ queue_name }, platform.admin);
      await platform.queues.clearQueue({ queue_name, confirm: true }, platform.admin);
    }
  });
  afterAll(async () => {
    await watching?.[Symbol.asyncDispose]();
    await runner?.[Symbol.asyncDispose]();
    await platform?.[Symbol.asyncDispose]();
  });

  const pause = (
    queue_name: 'high_priority' | 'normal_priority' | 'low_priority' = 'normal_priority',
    reason?: string,
  ) => platform.queues.pauseQueue({ queue_name, ...(reason === undefined ? {} : { reason }) }, platform.admin);
  const resume = () => platform.queues.resumeQueue({ queue_name: 'normal_priority' }, platform.admin);
  const queueTasks = async (count: number) => {
    const queued = [];
    for (let n = 0; n < count; n++) queued.push(await runner.execute(await runner.newTask()));
    return queued;
  };
  const takeAll = async (count: number) => {
    for (let taken = 0; taken < count; taken++) await runner.takeSoon();
  };

  test('a pause is answered, shown and told; pausing again replaces the reason; resuming ends it', async () => {
    const paused = await pause('normal_priority', 'Maintenance');
    expect(paused).toMatchObject({
      queue_name: 'normal_priority',
      status: 'paused',
      reason: 'Maintenance',
      paused_by: platform.admin.caller.user_id,
      paused_at: expect.any(String),
    });
    const again = await pause('normal_priority', 'Still');
    expect(again).toMatchObject({ reason: 'Still', paused_at: paused.paused_at });
    expect(await pause('normal_priority', 'Still')).toEqual(again);
    const status = await platform.queues.getQueueStatus({}, platform.admin);
    expect(status.queues).toMatchObject({
      normal_priority: { paused: true, pause_reason: 'Still' },
      high_priority: { paused: false, pause_reason: undefined },
    });
    const resumed = await resume();
    expect(resumed).toMatchObject({ status: 'active', reason: undefined, paused_at: undefined });
    expect(resumed.resumed_at).toEqual(expect.any(String));
    expect(await resume()).toEqual(resumed);
    await until('the events', () => events.length === 3);
    const { user_id } = platform.admin.caller;
    expect(events.map(({ type, data, actor, project_id }) => [type, data, actor, project_id])).toEqual([
      ['queue.paused', { queue_name: 'normal_priority', reason: 'Maintenance' }, user_id, null],
      ['queue.paused', { queue_name: 'normal_priority', reason: 'Still' }, user_id, null],
      ['queue.resumed', { queue_name: 'normal_priority' }, user_id, null],
    ]);
  });

  test('nothing starts from a paused queue, other queues go on, and all that waited starts in order when it is resumed', async () => {
    const before = await queueTasks(3);
    await pause();
    const during = await queueTasks(2);
    await takeAll(5);
    expect(await runner.claim()).toMatchObject({ verdict: 'none' });
    const high = await runner.execute(await runner.newTask(), 'high');
    expect(await runner.claim('high')).toMatchObject({ verdict: 'granted', job: { execution_id: high.execution_id } });
    // Tokens compared before the pause may have brought one too many.
    await until('no token is left', async () => !(await runner.take()));
    await wakeDue(platform.ctx);
    expect(await runner.take()).toBe(false);
    await resume();
    await takeAll(5);
    for (const { execution_id } of [...before, ...during]) {
      expect(await runner.claim()).toMatchObject({ verdict: 'granted', job: { execution_id } });
    }
  });

  test('a pause holds for a claim that read the queue before it and had not written yet', async () => {
    const [queued] = await queueTasks(1);
    const { slots } = platform.ctx;
    const between = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const takeSlot = slots.collection.updateOne.bind(slots.collection);
    const stalled = jest.spyOn(slots.collection, 'updateOne').mockImplementationOnce((async (
      ...args: Parameters<typeof takeSlot>
    ) => {
      reached.resolve();
      await between.promise;
      return takeSlot(...args);
    }) as never);
    const claim = runner.claim();
    await reached.promise;
    await pause();
    between.resolve();
    expect(await claim).toMatchObject({ verdict: 'none' });
    stalled.mockRestore();
    const execution = await runner.stored(queued?.execution_id ?? '');
    expect(execution).toMatchObject({ status: 'queued', waiting_for: 'turn', generation: 0, started_at: null });
    expect(await slots.exists({ holders: execution._id })).toBeNull();
    await resume();
    await runner.takeSoon();
    expect(await runner.claim()).toMatchObject({ verdict: 'granted' });
  });

  test('whatever claims run while a queue is paused, none is granted after the pause was answered', async () => {
    const { ctx } = platform;
    const running = () => ctx.executions.countDocuments({ status: 'running', 'lease.runner_id': 'racer' });
    for (let round = 0; round < 4; round++) {
      const { id } = await platform.projects.createProject({ name: `Race ${round}` }, platform.admin);
      const queued = await Promise.all(Array.from({ length: 8 }, async () => runner.execute(await runner.newTask(id))));
      const claims = queued.map(async (_, n) => {
        await setTimeout(n);
        const request = {
          priority: 'normal',
          claim_id: newId(),
          more_claim_ids: [],
          runner_id: 'racer',
          no_agents: false,
        };
        return claimExecution(ctx, request, { ...platform.runner, log: ctx.log });
      });
      await pause();
      const atAnswer = await running();
      await Promise.all(claims);
      expect(await running()).toBe(atAnswer);
      await platform.queues.clearQueue({ queue_name: 'normal_priority', confirm: true }, platform.admin);
      await resume();
    }
  });

  test('a pause holds for what is queued right after it, although the queue was open a moment before', async () => {
    await runner.run(await runner.newTask());
    await pause();
    const request = {
      priority: 'normal',
      claim_id: newId(),
      more_claim_ids: [],
      runner_id: 'runner-1',
      no_agents: false,
    };
    await queueTasks(1);
    const claim = claimExecution(platform.ctx, request, { ...platform.runner, log: platform.ctx.log });
    expect(await claim).toEqual({ verdict: 'none', granted_before: false, more: [], backlog: [] });
  });

  test('a pause holds over a restart', async () => {
    await queueTasks(1);
    await pause('normal_priority', 'Overnight');
    await using restarted = await startService(taskService, { ...platform.env, GRPC_PORT: '0' });
    const { status } = await recentOverview(restarted.ctx);
    expect(status.queues?.normal_priority).toMatchObject({ size: 1, paused: true, pause_reason: 'Overnight' });
    const call = { ...platform.runner, log: restarted.ctx.log };
    const request = {
      priority: 'normal',
      claim_id: newId(),
      more_claim_ids: [],
      runner_id: 'runner-1',
      no_agents: false,
    };
    expect(await claimExecution(restarted.ctx, request, call)).toEqual({
      verdict: 'none',
      granted_before: false,
      more: [],
      backlog: [],
    });
  });

  test('clearing must be confirmed, cancels what waits with its tasks, and leaves what runs and other queues', async () => {
    const running = await runner.run(await runner.newTask());
    const waiting = await queueTasks(3);
    const other = await runner.execute(await runner.newTask(), 'low');
    for (const request of [{}, { confirm: false }]) {
      const refused = platform.queues.clearQueue({ queue_name: 'normal_priority', ...request }, platform.admin);
      await expect(refused).rejects.toMatchObject({ code: 'VALIDATION_ERROR', details: { field: 'confirm' } });
    }
    const cleared = await platform.queues.clearQueue({ queue_name: 'normal_priority', confirm: true }, platform.admin);
    expect(cleared).toMatchObject({ queue_name: 'normal_priority', cleared_count: 3, cleared_at: expect.any(String) });
    for (const { task_id, execution_id } of waiting) {
      expect(await platform.tasks.getTask({ task_id }, platform.admin)).toMatchObject({ status: 'cancelled' });
      expect(await runner.stored(execution_id)).toMatchObject({
        status: 'cancelled',
        cancel_request: { reason: 'queue cleared', by: platform.admin.caller.user_id },
      });
    }
    expect(await runner.stored(running.execution_id)).toMatchObject({ status: 'running' });
    expect(await runner.stored(other.execution_id)).toMatchObject({ status: 'queued' });
    await until('the event', () => events.some(({ type }) => type === 'queue.cleared'));
    expect(events.at(-1)?.data).toEqual({ queue_name: 'normal_priority', cleared_count: 3 });
    expect((await platform.queues.getQueueStatus({}, platform.admin)).queues).toMatchObject({
      normal_priority: { size: 0 },
      low_priority: { size: 1 },
    });
  });

  test('a place tells what is ahead; a paused queue is not ahead of others', async () => {
    const place = async (priority: 'high' | 'normal' | 'low') =>
      (await runner.execute(await runner.newTask(), priority)).queue_position;
    expect([await place('normal'), await place('normal'), await place('high'), await place('low')]).toEqual([
      1, 2, 1, 4,
    ]);
    expect(await place('normal')).toBe(4);
    await pause('high_priority');
    expect(await place('normal')).toBe(5);
    const { executions } = platform.ctx;
    expect(await executions.countDocuments({ status: 'queued' })).toBe(6);
  });

  test('queues that nobody knows, and callers who cannot, are refused by name', async () => {
    const unnamed = platform.queues.pauseQueue({}, platform.admin);
    await expect(unnamed).rejects.toMatchObject({
      code: 'VALIDATION_REQUIRED_FIELD',
      details: { field: 'queue_name' },
    });
    const unknown = platform.queues.getQueueMetrics({ period: '2h' }, platform.admin);
    await expect(unknown).rejects.toMatchObject({ code: 'VALIDATION_ERROR', details: { field: 'period' } });
    const nowhere = platform.queues.changeQueuePriority({ task_ids: [newId()] }, someone());
    await expect(nowhere).rejects.toMatchObject({ details: { field: 'priority' } });
  });
});
