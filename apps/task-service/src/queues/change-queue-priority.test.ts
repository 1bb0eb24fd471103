import { newId } from '@claude-cli/shared/ids';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { wakeDue } from '../executions/sweep.ts';
import { someone, startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { type PlayedRunner, playRunner } from '../testing/played-runner.ts';

describe('the priority of a waiting execution', () => {
  let platform: TestPlatform;
  let runner: PlayedRunner;

  beforeAll(async () => {
    platform = await startTestPlatform({ QUEUE_LIMIT: '4' });
    runner = await playRunner(platform);
  });
  beforeEach(async () => {
    for (const queue_name of ['high_priority', 'normal_priority', 'low_priority'] as const) {
      await platform.queues.clearQueue({ queue_name, confirm: true }, platform.admin);
    }
    await runner.purge();
  });
  afterAll(async () => {
    await runner?.[Symbol.asyncDispose]();
    await platform?.[Symbol.asyncDispose]();
  });

  const move = (task_ids: string[], priority: 'high' | 'normal' | 'low' = 'high', caller = platform.admin) =>
    platform.queues.changeQueuePriority({ task_ids, priority }, caller);

  test('moves it to the other queue, where it is announced and keeps its time; its old token finds nothing', async () => {
    const task_id = await runner.newTask();
    const { execution_id } = await runner.execute(task_id, 'low');
    await runner.takeSoon('low');
    const before = await runner.stored(execution_id);
    expect(await move([task_id, task_id])).toEqual({
      priority: 'high',
      affected_count: 1,
      successful: [task_id],
      failed: [],
      errors: [],
    });
    await runner.takeSoon('high');
    expect(await runner.claim('low')).toMatchObject({ verdict: 'none' });
    const after = await runner.stored(execution_id);
    expect(after).toMatchObject({ priority: 'high', rank: 0, status: 'queued', queued_at: before.queued_at });
    expect(await runner.claim('high')).toMatchObject({ verdict: 'granted', job: { execution_id } });
    await runner.taskBecomes(task_id, 'running');
  });

  test('is changed task by task, and the answer tells why some were not', async () => {
    const [waiting, idle, running] = [await runner.newTask(), await runner.newTask(), await runner.newTask()];
    await runner.run(running);
    await runner.execute(waiting);
    const unknown = newId();
    const answer = await move([unknown, idle, waiting, running]);
    expect(answer).toMatchObject({ affected_count: 1, successful: [waiting], failed: [unknown, idle, running] });
    expect(answer.errors.map(({ task_id, code }) => [task_id, code])).toEqual([
      [unknown, 'TASK_NOT_FOUND'],
      [idle, 'RESOURCE_CONFLICT'],
      [running, 'RESOURCE_CONFLICT'],
    ]);
    const stranger = await move([waiting], 'low', someone());
    expect(stranger).toMatchObject({ affected_count: 0, errors: [{ code: 'PROJECT_ACCESS_DENIED' }] });
  });

  test('does not fill the other queue beyond its limit', async () => {
    const tasks = await Promise.all(Array.from({ length: 6 }, () => runner.newTask()));
    for (const [n, task_id] of tasks.entries()) await runner.execute(task_id, n < 3 ? 'high' : 'low');
    const answer = await move(tasks.slice(3));
    expect(answer).toMatchObject({ successful: [tasks[3]], failed: [tasks[4], tasks[5]] });
    expect(answer.errors.map(({ code }) => code)).toEqual(['QUEUE_FULL', 'QUEUE_FULL']);
  });

  test('that waits out the pause before another attempt is changed without cutting the pause short', async () => {
    const task_id = await runner.newTask();
    const run = await runner.run(task_id, { retry_attempts: 1 });
    await runner.report(run, { status: 'failed', exit_code: 1, error: 'first' });
    await runner.taskBecomes(task_id, 'pending');
    const due_at = new Date(Date.now() + 60_000);
    await platform.ctx.executions.updateOne({ _id: run.execution_id }, { $set: { due_at } });
    expect(await move([task_id])).toMatchObject({ successful: [task_id] });
    await wakeDue(platform.ctx);
    expect(await runner.take('high')).toBe(false);
    const moved = await runner.stored(run.execution_id);
    expect(moved).toMatchObject({ priority: 'high', due_at });
    expect(moved.outbox.filter(({ generation }) => generation === moved.generation)).toEqual([]);
    await platform.ctx.executions.updateOne({ _id: run.execution_id }, { $set: { due_at: new Date() } });
    await wakeDue(platform.ctx);
    await runner.takeSoon('high');
    expect(await runner.claim('high')).toMatchObject({ verdict: 'granted', job: { generation: 3 } });
  });

  test('raced by a claim or a cancellation comes to one end, and never to two', async () => {
    for (let round = 0; round < 8; round++) {
      const { id } = await platform.projects.createProject({ name: `Round ${round}` }, platform.admin);
      const task_id = await runner.newTask(id);
      const { execution_id } = await runner.execute(task_id, 'low');
      const rival =
        round % 2 === 0
          ? runner.claim('low').then(({ verdict }) => verdict === 'granted')
          : platform.tasks.cancelTask({ task_id }, platform.admin).then(() => true);
      const [moved, won] = await Promise.all([move([task_id]), rival]);
      const execution = await runner.stored(execution_id);
      if (round % 2 === 0) {
        // A claim of the first generation and the move exclude each other.
        expect(won).toBe(moved.affected_count === 0);
        expect(execution).toMatchObject(
          won
            ? { status: 'running', priority: 'low', generation: 1 }
            : { status: 'queued', priority: 'high', generation: 1 },
        );
      } else {
        expect(execution).toMatchObject({ status: 'cancelled', priority: moved.affected_count === 0 ? 'low' : 'high' });
        await runner.taskBecomes(task_id, 'cancelled');
      }
      await platform.queues.clearQueue({ queue_name: 'high_priority', confirm: true }, platform.admin);
    }
  });
});
