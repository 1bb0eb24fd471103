import { planOf } from '@claude-cli/shared/testing/plan';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { type PlayedRunner, playRunner } from '../testing/played-runner.ts';
import { change } from '../testing/requests.ts';
import { Followers, type ToldTask } from './followers.ts';
import { wakeDue } from './sweep.ts';
import { activeOf, pageOf, waitingFor } from './wait-for-dependencies.ts';

describe('an execution that waits for other tasks', () => {
  let platform: TestPlatform;
  let runner: PlayedRunner;

  beforeAll(async () => {
    platform = await startTestPlatform();
    runner = await playRunner(platform);
  });
  beforeEach(() => runner.clear());
  afterAll(async () => {
    await runner?.[Symbol.asyncDispose]();
    await platform?.[Symbol.asyncDispose]();
  });

  const taskAfter = (...blockers: string[]) =>
    runner.newTask(
      runner.project_id,
      blockers.map((depends_on_task_id) => ({ depends_on_task_id })),
    );
  const wait = (task_id: string) => runner.execute(task_id, 'normal', { wait_for_dependencies: true });
  const runNext = async (ending: Parameters<PlayedRunner['report']>[1] = {}) => {
    await runner.takeSoon();
    const { job } = await runner.claim();
    if (job) await runner.report(job, ending);
    return job?.task_id;
  };
  const failsFor = async (execution_id: string, blocker: string, how: RegExp) => {
    const ended = await until('it to fail', async () => {
      const execution = await runner.stored(execution_id);
      return execution.status === 'failed' && execution;
    });
    expect(ended.error).toContain('TASK_DEPENDENCY_NOT_MET');
    expect(ended.error).toContain(blocker);
    expect(ended.error).toMatch(how);
    expect(ended.waits_on).toBeUndefined();
  };

  test('starts by itself when they are completed: a graph of six runs without anybody polling', async () => {
    const start = await runner.newTask();
    const left = await taskAfter(start);
    const right = await taskAfter(start);
    const join = await taskAfter(left, right);
    const next = await taskAfter(join);
    const end = await taskAfter(next, start);
    const graph = { start: [], left: [start], right: [start], join: [left, right], next: [join], end: [next, start] };
    // The last first: nobody has to know the order.
    for (const task_id of [end, next, join, right, left])
      expect(await wait(task_id)).toMatchObject({ status: 'queued' });
    expect(await runner.claim()).toMatchObject({ verdict: 'none' });
    await wait(start);
    const order: (string | undefined)[] = [];
    const granted = new Set<string>();
    while (order.length < 6) {
      await runner.takeSoon();
      const { job } = await runner.claim();
      if (!job) continue;
      expect(granted.has(job.task_id)).toBe(false);
      granted.add(job.task_id);
      order.push(job.task_id);
      await runner.report(job);
    }
    const tasks = { start, left, right, join, next, end };
    for (const [name, blockers] of Object.entries(graph)) {
      const place = order.indexOf(tasks[name as keyof typeof tasks]);
      for (const blocker of blockers) expect(order.indexOf(blocker)).toBeLessThan(place);
    }
    for (const task_id of Object.values(tasks)) await runner.taskBecomes(task_id, 'completed');
    expect(await platform.ctx.executions.exists({ waits_on: { $in: Object.values(tasks) } })).toBeNull();
  });

  test('starts when they are completed by hand', async () => {
    const blocker = await runner.newTask();
    const task_id = await taskAfter(blocker);
    const { execution_id } = await wait(task_id);
    expect(await runner.stored(execution_id)).toMatchObject({ waiting_for: 'dependency', waits_on: [blocker] });
    await platform.tasks.updateTask(change(blocker, { status: 'completed' }), platform.admin);
    expect(await runNext()).toBe(task_id);
  });

  test('fails with the reason when one fails, and so does what waits for it', async () => {
    const blocker = await runner.newTask();
    const task_id = await taskAfter(blocker);
    const last = await taskAfter(task_id);
    const [second, third] = [await wait(task_id), await wait(last)];
    await runner.execute(blocker);
    expect(await runNext({ status: 'failed', exit_code: 1, error: 'broken' })).toBe(blocker);
    await failsFor(second.execution_id, blocker, /has failed/);
    await runner.taskBecomes(task_id, 'failed');
    await failsFor(third.execution_id, task_id, /has failed/);
    await runner.taskBecomes(last, 'failed');
  });

  test('fails when one is cancelled or deleted', async () => {
    const [cancelled, deleted] = [await runner.newTask(), await runner.newTask()];
    const first = await wait(await taskAfter(cancelled));
    const second = await wait(await taskAfter(deleted));
    await platform.tasks.cancelTask({ task_id: cancelled }, platform.admin);
    await platform.tasks.deleteTask({ task_id: deleted }, platform.admin);
    await failsFor(first.execution_id, cancelled, /was cancelled/);
    await failsFor(second.execution_id, deleted, /was deleted/);
  });

  test('goes on waiting while one that failed is tried again', async () => {
    const blocker = await runner.newTask();
    await runner.execute(blocker);
    await runNext({ status: 'failed', exit_code: 1, error: 'broken' });
    await runner.taskBecomes(blocker, 'failed');
    const task_id = await taskAfter(blocker);
    await expect(wait(task_id)).rejects.toMatchObject({
      code: 'TASK_DEPENDENCY_NOT_MET',
      details: { unmet: [{ task_id: blocker, status: 'failed' }] },
    });
    await platform.tasks.retryTask({ task_id: blocker }, platform.admin);
    const { execution_id } = await wait(task_id);
    await wakeDue(platform.ctx);
    expect(await runner.stored(execution_id)).toMatchObject({ waiting_for: 'dependency' });
    expect(await runNext()).toBe(blocker);
    expect(await runNext()).toBe(task_id);
  });

  test('follows the dependencies of its task when they are changed', async () => {
    const [blocker, other] = [await runner.newTask(), await runner.newTask()];
    const task_id = await taskAfter(blocker);
    const { execution_id } = await wait(task_id);
    const dependencies = [{ depends_on_task_id: other }];
    await platform.tasks.updateTask(change(task_id, { dependencies }), platform.admin);
    await until(
      'it to wait for the other one',
      async () => (await runner.stored(execution_id)).waits_on?.[0] === other,
    );
    await platform.tasks.updateTask(change(task_id, { cleared_fields: ['dependencies'] }), platform.admin);
    expect(await runNext()).toBe(task_id);
  });

  test('is found by the sweep when nobody told that they are completed', async () => {
    const blocker = await runner.newTask();
    const task_id = await taskAfter(blocker);
    const { execution_id } = await wait(task_id);
    // As by a process that died between the write and the news.
    await platform.ctx.tasks.updateOne({ _id: blocker }, { $set: { status: 'completed' } });
    await platform.ctx.executions.updateOne({ _id: execution_id }, { $set: { due_at: new Date() } });
    expect(await runNext()).toBe(task_id);
  });

  test('becomes ready once, however often it is told', async () => {
    const blocker = await runner.newTask();
    const { execution_id } = await wait(await taskAfter(blocker));
    await platform.tasks.updateTask(change(blocker, { status: 'completed' }), platform.admin);
    const before = await until('it to be ready, and all of it to be told', async () => {
      const execution = await runner.stored(execution_id);
      return execution.waiting_for === 'turn' && execution.outbox.length === 0 && execution;
    });
    const event = { type: 'task.completed', data: { task_id: blocker } } as Parameters<Followers['hear']>[0];
    const followers = new Followers(platform.ctx);
    await Promise.all([1, 2, 3].map(() => followers.hear(event, { _id: blocker, outbox: [] })));
    expect(await runner.stored(execution_id)).toEqual(before);
  });

  test('marks what it waits for, and nobody is looked for where there is no mark', async () => {
    const [blocker, other] = [await runner.newTask(), await runner.newTask()];
    await wait(await taskAfter(blocker));
    expect(await platform.ctx.tasks.exists({ _id: blocker, awaited: true })).not.toBeNull();
    expect(await platform.ctx.tasks.exists({ _id: other, awaited: true })).toBeNull();
    const heard = jest.spyOn(platform.ctx.executions.collection, 'find');
    const hear = async (task_id: string, task: Partial<ToldTask>) => {
      const event = { type: 'task.completed', data: { task_id } } as Parameters<Followers['hear']>[0];
      heard.mockClear();
      await new Followers(platform.ctx).hear(event, { _id: task_id, outbox: [], ...task });
      return heard.mock.calls.filter(([filter]) => filter && 'waits_on' in filter).length;
    };
    expect(await hear(other, { status: 'completed' })).toBe(0);
    expect(await hear(blocker, { status: 'completed', awaited: true })).toBe(1);
    // What was left for the sweep does not say.
    expect(await hear(other, {})).toBe(1);
    heard.mockRestore();
  });

  test('follows a task that it waits for only since its dependencies were changed', async () => {
    const [blocker, other] = [await runner.newTask(), await runner.newTask()];
    const task_id = await taskAfter(blocker);
    const { execution_id } = await wait(task_id);
    const dependencies = [{ depends_on_task_id: other }];
    await platform.tasks.updateTask(change(task_id, { dependencies }), platform.admin);
    await until(
      'it to wait for the other one',
      async () => (await runner.stored(execution_id)).waits_on?.[0] === other,
    );
    await platform.tasks.updateTask(change(other, { status: 'completed' }), platform.admin);
    expect(await runNext()).toBe(task_id);
  });

  test('is looked for by an index of those concerned, however many other executions there are', async () => {
    for (const concerned of [waitingFor(['t']), waitingFor(['t', 'u']), activeOf('t')]) {
      const plan = await planOf(pageOf(platform.ctx, concerned, ''));
      expect(plan).toMatch(/waits_on_1|one_active_per_task/);
      expect(plan).not.toContain('"_id_"');
    }
  });

  test('can be cancelled', async () => {
    const task_id = await taskAfter(await runner.newTask());
    const { execution_id } = await wait(task_id);
    await platform.tasks.cancelTask({ task_id }, platform.admin);
    const { waits_on, ...execution } = await runner.stored(execution_id);
    expect(waits_on).toBeUndefined();
    expect(execution).toMatchObject({ status: 'cancelled', waiting_for: null, started_at: null });
  });
});
