import type { ControlMessage } from '@claude-cli/shared/amqp/bus';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { type PlayedRunner, playRunner } from '../testing/played-runner.ts';
import { releaseLeftSlots } from './slots.ts';
import { endExpired, wakeDue } from './sweep.ts';

describe('an execution', () => {
  let platform: TestPlatform;
  let runner: PlayedRunner;
  let project_id: string;

  beforeAll(async () => {
    platform = await startTestPlatform();
    runner = await playRunner(platform);
    project_id = runner.project_id;
  });
  beforeEach(() => runner.clear());
  afterAll(async () => {
    await runner?.[Symbol.asyncDispose]();
    await platform?.[Symbol.asyncDispose]();
  });

  test('goes from the queue over a claim to completion, and the task and its history follow', async () => {
    const task_id = await runner.newTask();
    const queued = await runner.execute(task_id, 'high');
    expect(queued).toMatchObject({ task_id, status: 'queued', queue_position: 1 });
    await runner.takeSoon('high');
    const { verdict, job } = await runner.claim('high');
    expect(verdict).toBe('granted');
    expect(job?.execution_id).toBe(queued.execution_id);
    expect(job).toMatchObject({ task_id, project_id, command: 'echo hello', generation: 1, timeout_ms: 3_600_000 });
    await runner.taskBecomes(task_id, 'running');
    await runner.report({ execution_id: queued.execution_id, task_id, generation: 1 });
    const task = await runner.taskBecomes(task_id, 'completed');
    expect(await runner.stored(queued.execution_id)).toMatchObject({ output_bytes: 5 });
    expect(task).toMatchObject({
      progress_percentage: 100,
      actual_duration: expect.stringMatching(/^\d\d:\d\d:\d\d$/),
      started_at: expect.any(String),
      completed_at: expect.any(String),
      execution_id: queued.execution_id,
    });
    expect(task.history.map(({ action, old_value, new_value }) => [action, old_value, new_value])).toEqual([
      ['created', undefined, undefined],
      ['status_changed', 'pending', 'running'],
      ['status_changed', 'running', 'completed'],
    ]);
  });

  test('is the only one of its task, whoever asks at the same time', async () => {
    const task_id = await runner.newTask();
    const answers = await Promise.allSettled(Array.from({ length: 5 }, () => runner.execute(task_id)));
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const answer of answers) {
      if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ code: 'TASK_ALREADY_RUNNING' });
    }
    await expect(platform.tasks.deleteTask({ task_id }, platform.admin)).rejects.toMatchObject({
      code: 'RESOURCE_IN_USE',
    });
  });

  test('is granted to one of the runners that ask, and to that one again when the answer was lost', async () => {
    const { execution_id } = await runner.execute(await runner.newTask());
    const questions = ['a', 'b', 'c'].map((name) => ({ runner_id: name, claim_id: `question of ${name}` }));
    const answers = await Promise.all(questions.map((question) => runner.claim('normal', question)));
    const winner = questions.filter((_, index) => answers[index]?.verdict === 'granted');
    expect(winner).toHaveLength(1);
    expect(answers.filter(({ verdict }) => verdict === 'none')).toHaveLength(2);
    await runner.execute(await runner.newTask());
    const again = await Promise.all([1, 2, 3].map(() => runner.claim('normal', winner[0])));
    for (const answer of again) {
      expect(answer).toMatchObject({ verdict: 'granted', job: { generation: 1, execution_id } });
    }
    expect(await platform.ctx.slots.findById(project_id).lean()).toMatchObject({
      holders: expect.arrayContaining([execution_id]),
    });
  });

  test('ends once, however often and in whatever order reports arrive', async () => {
    const run1 = await runner.run(await runner.newTask(), { retry_attempts: 1 });
    await runner.report(run1, { status: 'failed', exit_code: 1, error: 'first' });
    await until('the second attempt', async () => (await runner.stored(run1.execution_id)).status === 'queued');
    await platform.ctx.executions.updateOne({ _id: run1.execution_id }, { $set: { due_at: new Date() } });
    await wakeDue(platform.ctx);
    await runner.takeSoon();
    const { job } = await runner.claim();
    expect(job).toMatchObject({ execution_id: run1.execution_id, generation: 2 });
    await runner.report(run1, { status: 'failed', exit_code: 9, error: 'late report of the first attempt' });
    const run2 = { ...run1, generation: 2 };
    await runner.report(run2);
    await runner.report(run2, { status: 'failed', error: 'repeated' });
    const task = await runner.taskBecomes(run1.task_id, 'completed');
    expect(await runner.stored(run1.execution_id)).toMatchObject({ status: 'completed', attempt: 2, exit_code: 0 });
    expect(task.history.map(({ new_value }) => new_value)).toEqual([
      undefined,
      'running',
      'pending',
      'running',
      'completed',
    ]);
  });

  test('fails its task when no attempt remains, and can be retried by hand', async () => {
    const failed = await runner.run(await runner.newTask());
    await runner.report(failed, { status: 'failed', exit_code: 3, error: 'exit code 3' });
    await runner.taskBecomes(failed.task_id, 'failed');
    const retried = await platform.tasks.retryTask({ task_id: failed.task_id }, platform.admin);
    expect(retried).toMatchObject({ status: 'queued', retry_attempt: 2 });
    await runner.taskBecomes(failed.task_id, 'pending');
    const again = platform.tasks.retryTask({ task_id: failed.task_id }, platform.admin);
    await expect(again).rejects.toMatchObject({ code: 'TASK_ALREADY_RUNNING' });
  });

  test('whose process died before it told anybody is told by the sweep', async () => {
    const task_id = await runner.newTask();
    const { execution_id } = await runner.execute(task_id);
    const left = {
      id: 'left',
      time: new Date(Date.now() - 60_000).toISOString(),
      kind: 'queued' as const,
      generation: 0,
    };
    await platform.ctx.executions.updateOne({ _id: execution_id }, { $push: { outbox: left } });
    await until('the outbox to be empty', async () => (await runner.stored(execution_id)).outbox.length === 0);
  });

  test('whose runner is silent for a lease fails, and the late runner is refused', async () => {
    const lost = await runner.run(await runner.newTask());
    const renewal = { execution_id: lost.execution_id, generation: 1, runner_id: 'runner-1' };
    expect(await platform.executions.renewLease(renewal, platform.runner)).toEqual({ held: true });
    expect(await platform.executions.renewLease({ ...renewal, runner_id: 'other' }, platform.runner)).toEqual({
      held: false,
    });
    const past = { runner_id: 'runner-1', expires_at: new Date(Date.now() - 1) };
    await platform.ctx.executions.updateOne({ _id: lost.execution_id }, { $set: { lease: past } });
    await endExpired(platform.ctx);
    await runner.taskBecomes(lost.task_id, 'failed');
    expect(await runner.stored(lost.execution_id)).toMatchObject({ status: 'failed', error: 'runner lost' });
    expect(await platform.executions.renewLease(renewal, platform.runner)).toEqual({ held: false });
  });

  test('reports progress with the renewal of its lease, which never goes back', async () => {
    const going = await runner.run(await runner.newTask());
    await runner.taskBecomes(going.task_id, 'running');
    const renewal = { execution_id: going.execution_id, generation: 1, runner_id: 'runner-1' };
    for (const progress_percentage of [40, 30]) {
      await platform.executions.renewLease({ ...renewal, progress_percentage }, platform.runner);
    }
    expect(await runner.taskBecomes(going.task_id, 'running')).toMatchObject({ progress_percentage: 40 });
  });

  test('that waits is cancelled at once and never granted', async () => {
    const task_id = await runner.newTask();
    const { execution_id } = await runner.execute(task_id);
    const cancelled = await platform.tasks.cancelTask({ task_id, reason: 'changed' }, platform.admin);
    expect(cancelled).toMatchObject({ task_id, status: 'cancelled', reason: 'changed' });
    expect(await runner.claim()).toEqual({ verdict: 'none', job: undefined });
    await runner.taskBecomes(task_id, 'cancelled');
    expect(await runner.stored(execution_id)).toMatchObject({
      status: 'cancelled',
      cancel_request: { reason: 'changed' },
    });
    await expect(platform.tasks.cancelTask({ task_id }, platform.admin)).rejects.toMatchObject({
      code: 'TASK_CANCELLED',
    });
  });

  test('that runs is stopped by its runner before the cancellation is answered', async () => {
    const running = await runner.run(await runner.newTask());
    const orders: ControlMessage[] = [];
    await using _ = await platform.ctx.bus.subscribe<ControlMessage>(
      { exchange: 'control', patterns: [''], prefetch: 1 },
      async (order) => void orders.push(order),
    );
    const cancelled = platform.tasks.cancelTask({ task_id: running.task_id }, platform.admin, { deadlineMs: 10_000 });
    await until('the order', () => orders.length > 0);
    expect(orders[0]).toEqual({ order: 'cancel', command_id: running.execution_id });
    const renewal = { execution_id: running.execution_id, generation: 1, runner_id: 'runner-1' };
    expect(await platform.executions.renewLease(renewal, platform.runner)).toEqual({ held: false });
    await runner.report(running, { status: 'failed', exit_code: -15, error: 'killed' });
    expect(await cancelled).toMatchObject({ status: 'cancelled' });
    expect(await runner.taskBecomes(running.task_id, 'cancelled')).toMatchObject({ status: 'cancelled' });
  });

  test('waits while its project runs as many as it may, and goes on when one ends', async () => {
    const limits = { max_concurrent_tasks: 1 };
    const { id } = await platform.projects.createProject({ name: 'Narrow', resource_limits: limits }, platform.admin);
    const first = await runner.run(await runner.newTask(id));
    const second = await runner.execute(await runner.newTask(id));
    await runner.takeSoon();
    expect(await runner.claim()).toMatchObject({ verdict: 'none' });
    expect(await runner.stored(second.execution_id)).toMatchObject({ waiting_for: 'project_limit' });
    await runner.report(first);
    await runner.takeSoon();
    expect(await runner.claim()).toMatchObject({ verdict: 'granted', job: { execution_id: second.execution_id } });
  });

  test('of which a crash left a slot taken does not block its project for ever', async () => {
    const { ctx } = platform;
    await ctx.slots.create({ _id: 'project-x', holders: ['an execution that never was'] });
    await releaseLeftSlots(ctx);
    expect(await ctx.slots.findById('project-x').lean()).toMatchObject({ holders: [] });
  });

  test('does not start before the tasks that block it are completed', async () => {
    const blocker = await runner.newTask();
    const task_id = await runner.newTask(project_id, [{ depends_on_task_id: blocker }]);
    await expect(runner.execute(task_id)).rejects.toMatchObject({
      code: 'TASK_DEPENDENCY_NOT_MET',
      details: { unmet: [{ task_id: blocker, status: 'pending' }] },
    });
    await platform.tasks.updateTask(
      { task_id: blocker, status: 'completed', tags: [], dependencies: [], cleared_fields: [] },
      platform.admin,
    );
    expect(await runner.execute(task_id)).toMatchObject({ status: 'queued' });
  });

  test('ends with its project', async () => {
    const { id } = await platform.projects.createProject({ name: 'Gone' }, platform.admin);
    const task_id = await runner.newTask(id);
    const { execution_id } = await runner.execute(task_id);
    await platform.projects.deleteProject({ project_id: id }, platform.admin);
    await until(
      'the execution to be cancelled',
      async () => (await runner.stored(execution_id)).status === 'cancelled',
    );
    await until('the task to be deleted', async () => (await platform.ctx.tasks.findById(task_id).lean())?.deleted_at);
  });

  test('is found by an index in whatever way it is looked for', async () => {
    const { executions } = platform.ctx;
    const filters = [
      { task_id: 't', active: true },
      { status: 'queued', waiting_for: 'backoff', due_at: { $lte: new Date() } },
      { status: 'queued', waiting_for: null, attempt: { $gt: 1 } },
      { status: 'queued', rank: 1, waiting_for: 'turn' },
      { waits_on: 't' },
      { 'lease.claim_id': 'c', 'lease.runner_id': 'r', status: 'running' },
      { status: 'running', 'lease.expires_at': { $lt: new Date() } },
      { status: 'queued', rank: 1, queued_at: { $lt: new Date() } },
      { project_id: 'p', status: 'queued', waiting_for: 'project_limit', rank: 1 },
      { 'outbox.time': { $lt: 'z' } },
    ];
    for (const filter of filters) {
      const plan = JSON.stringify(
        (await executions.collection.find(filter).explain('queryPlanner')).queryPlanner.winningPlan,
      );
      expect({ filter, plan }).toEqual({ filter, plan: expect.stringContaining('IXSCAN') });
      expect(plan).not.toContain('COLLSCAN');
    }
  });
});
