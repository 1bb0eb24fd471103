import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { forgetOverview } from '../queues/overview.ts';
import { someone, startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { type PlayedRunner, playRunner } from '../testing/played-runner.ts';

describe('what is told of the execution of a task', () => {
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

  const show = (task_id: string) => {
    forgetOverview(platform.ctx);
    return platform.tasks.getTaskExecution({ task_id }, platform.admin);
  };
  const reportWorkers = (slots: number) =>
    platform.executions.reportRunner({ runner_id: 'worker', slots, leaving: slots === 0 }, platform.runner);

  test('is where it is, why it waits, how each attempt ended, and what the last one took', async () => {
    const task_id = await runner.newTask();
    await expect(show(task_id)).rejects.toMatchObject({ code: 'RESOURCE_NOT_FOUND' });
    const first = await runner.run(task_id, { retry_attempts: 1 });
    expect(await show(task_id)).toMatchObject({ status: 'running', attempt: 1, max_attempts: 2, waiting: undefined });
    await runner.report(first, { status: 'failed', exit_code: 7, error: 'Exited with code 7' });
    await runner.taskBecomes(task_id, 'pending');
    const pausing = await show(task_id);
    expect(pausing).toMatchObject({
      status: 'queued',
      attempt: 2,
      exit_code: 7,
      error: 'Exited with code 7',
      queue_position: undefined,
      waiting: { code: 'backoff', until: expect.any(String) },
      attempts: [{ attempt: 1, status: 'failed', exit_code: 7, error: 'Exited with code 7' }],
    });
    const due_at = new Date();
    await platform.ctx.executions.updateOne({ _id: first.execution_id }, { $set: { due_at } });
    await runner.takeSoon();
    await runner.claim();
    const measured = { cpu_seconds: 1.5, peak_memory_bytes: 5_000_000_000, result: { cost_usd: 0.25, turns: 2 } };
    await runner.report({ ...first, generation: 2 }, measured);
    await runner.taskBecomes(task_id, 'completed');
    const ended = await show(task_id);
    expect(ended).toMatchObject({
      execution_id: first.execution_id,
      status: 'completed',
      priority: 'normal',
      exit_code: 0,
      error: undefined,
      cpu_seconds: 1.5,
      peak_memory_bytes: 5_000_000_000,
      agent: { cost_usd: 0.25, turns: 2 },
      waiting: undefined,
    });
    expect(ended.attempts.map(({ attempt, status }) => [attempt, status])).toEqual([
      [1, 'failed'],
      [2, 'completed'],
    ]);
    for (const { started_at, finished_at } of ended.attempts) {
      expect(Date.parse(started_at ?? '')).toBeLessThanOrEqual(Date.parse(finished_at ?? ''));
    }
  });

  test('names the one reason that has to go first', async () => {
    const { queues, projects, admin } = platform;
    const blocker = await runner.newTask();
    const task_id = await runner.newTask(runner.project_id, [{ depends_on_task_id: blocker }]);
    await runner.execute(task_id, 'low', { wait_for_dependencies: true });
    expect((await show(task_id)).waiting).toMatchObject({ code: 'dependency', task_ids: [blocker] });
    await queues.pauseQueue({ queue_name: 'low_priority', reason: 'Maintenance' }, admin);
    expect((await show(task_id)).waiting).toMatchObject({
      code: 'queue_paused',
      message: 'The queue is paused: Maintenance',
      task_ids: [],
    });
    await queues.resumeQueue({ queue_name: 'low_priority' }, admin);

    await reportWorkers(0);
    const ready = await runner.newTask();
    await runner.execute(ready, 'high');
    expect(await show(ready)).toMatchObject({
      queue_position: 1,
      estimated_start_time: undefined,
      waiting: { code: 'no_worker' },
    });
    await reportWorkers(100);
    expect(await show(ready)).toMatchObject({
      estimated_start_time: expect.any(String),
      waiting: { code: 'next_in_line' },
    });
    await runner.claim('high');
    await reportWorkers(1);
    const behind = await runner.newTask();
    await runner.execute(behind, 'high');
    expect((await show(behind)).waiting).toMatchObject({ code: 'no_free_worker' });

    const resource_limits = { max_concurrent_tasks: 1 };
    const { id } = await projects.createProject({ name: 'Narrow', resource_limits }, admin);
    await runner.run(await runner.newTask(id));
    const narrow = await runner.newTask(id);
    await runner.execute(narrow);
    await runner.claim();
    const limited = await show(narrow);
    expect(limited).toMatchObject({ queue_position: undefined, waiting: { code: 'project_limit' } });
  });

  test('names when the rate limit of the agent is over, and an agent that met it is tried again without losing an attempt', async () => {
    const task_id = await runner.newTask();
    const run = await runner.run(task_id);
    const retry_at = new Date(Date.now() + 3_600_000).toISOString();
    await runner.report(run, { status: 'failed', error: 'limit reached', retry_at });
    await runner.taskBecomes(task_id, 'pending');
    expect(await show(task_id)).toMatchObject({
      status: 'queued',
      attempt: 1,
      max_attempts: 1,
      waiting: { code: 'agent_rate_limit', until: retry_at },
      attempts: [],
    });
    await platform.ctx.executions.updateOne({ _id: run.execution_id }, { $set: { due_at: new Date() } });
    await until('it to be ready', async () => (await runner.stored(run.execution_id)).waiting_for === 'turn');
    expect(await runner.claim()).toMatchObject({ job: { execution_id: run.execution_id, generation: 2 } });
  });

  test('is told to those who may see the task', async () => {
    const task_id = await runner.newTask();
    await runner.execute(task_id);
    const refused = { code: 'PROJECT_ACCESS_DENIED' };
    await expect(platform.tasks.getTaskExecution({ task_id }, someone())).rejects.toMatchObject(refused);
    const unknown = platform.tasks.getTaskExecution({ task_id: newId() }, platform.admin);
    await expect(unknown).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
  });
});
