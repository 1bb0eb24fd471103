import { newId } from '@claude-cli/shared/ids';
import { metricOf } from '@claude-cli/shared/testing/metric';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Played, startPlayed } from '../testing/played.ts';
import { releaseLeftSlots } from './slots.ts';
import { endExpired, wakeDue } from './sweep.ts';

describe('an execution', () => {
  let at: Played;
  let project_id: string;
  beforeAll(async () => {
    at = await startPlayed();
    ({ project_id } = at.runner);
  });
  beforeEach(() => at.runner.clear());
  afterAll(async () => at?.[Symbol.asyncDispose]());

  test('goes from the queue over a claim to completion, and the task and its history follow', async () => {
    const task_id = await at.runner.newTask();
    const queued = await at.runner.execute(task_id, 'high');
    expect(queued).toMatchObject({ task_id, status: 'queued', queue_position: 1 });
    await at.runner.takeSoon('high');
    const { verdict, job } = await at.runner.claim('high');
    expect(verdict).toBe('granted');
    expect(job?.execution_id).toBe(queued.execution_id);
    expect(job).toMatchObject({ task_id, project_id, command: 'echo hello', generation: 1, timeout_ms: 3_600_000 });
    await at.runner.taskBecomes(task_id, 'running');
    await at.runner.report({ execution_id: queued.execution_id, task_id, generation: 1 });
    const task = await at.runner.taskBecomes(task_id, 'completed');
    expect(await at.runner.stored(queued.execution_id)).toMatchObject({ output_bytes: 5 });
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

  test('reaches its task also when its request is older than the run before', async () => {
    const { platform, runner } = at;
    const task_id = await runner.newTask();
    const creates = { id: newId(), again: true };
    await runner.report(await runner.run(task_id));
    await runner.taskBecomes(task_id, 'completed');
    const { execution_id } = await platform.tasks.executeTask({ task_id }, { ...platform.admin, creates });
    await runner.taskBecomes(task_id, 'pending');
    await runner.takeSoon();
    await runner.report({ execution_id, task_id, generation: (await runner.claim()).job?.generation ?? 0 });
    expect(await runner.taskBecomes(task_id, 'completed')).toMatchObject({ execution_id });
  });

  test('is the only one of its task, whoever asks at the same time', async () => {
    const task_id = await at.runner.newTask();
    const answers = await Promise.allSettled(Array.from({ length: 5 }, () => at.runner.execute(task_id)));
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const answer of answers) {
      if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ code: 'TASK_ALREADY_RUNNING' });
    }
    await expect(at.platform.tasks.deleteTask({ task_id }, at.platform.admin)).rejects.toMatchObject({
      code: 'RESOURCE_IN_USE',
    });
  });

  test('is granted to one of the runners that ask, and to that one again when the answer was lost', async () => {
    const { execution_id } = await at.runner.execute(await at.runner.newTask());
    const questions = ['a', 'b', 'c'].map((name) => ({ runner_id: name, claim_id: `question of ${name}` }));
    const answers = await Promise.all(questions.map((question) => at.runner.claim('normal', question)));
    const winner = questions.filter((_, index) => answers[index]?.verdict === 'granted');
    expect(winner).toHaveLength(1);
    expect(answers.filter(({ verdict }) => verdict === 'none')).toHaveLength(2);
    await at.runner.execute(await at.runner.newTask());
    const again = await Promise.all([1, 2, 3].map(() => at.runner.claim('normal', winner[0])));
    for (const answer of again) {
      expect(answer).toMatchObject({ verdict: 'granted', job: { generation: 1, execution_id } });
    }
    expect(await at.platform.ctx.slots.findById(project_id).lean()).toMatchObject({
      holders: expect.arrayContaining([execution_id]),
    });
  });

  test('ends once, however often and in whatever order reports arrive', async () => {
    const run1 = await at.runner.run(await at.runner.newTask(), { retry_attempts: 1 });
    await at.runner.report(run1, { status: 'failed', exit_code: 1, error: 'first' });
    await until('the second attempt', async () => (await at.runner.stored(run1.execution_id)).status === 'queued');
    await at.platform.ctx.executions.updateOne({ _id: run1.execution_id }, { $set: { due_at: new Date() } });
    await wakeDue(at.platform.ctx);
    await at.runner.takeSoon();
    const { job } = await at.runner.claim();
    expect(job).toMatchObject({ execution_id: run1.execution_id, generation: 2 });
    await at.runner.report(run1, { status: 'failed', exit_code: 9, error: 'late report of the first attempt' });
    const run2 = { ...run1, generation: 2 };
    await at.runner.report(run2);
    await at.runner.report(run2, { status: 'failed', error: 'repeated' });
    const task = await at.runner.taskBecomes(run1.task_id, 'completed');
    expect(await at.runner.stored(run1.execution_id)).toMatchObject({ status: 'completed', attempt: 2, exit_code: 0 });
    expect(task.history.map(({ new_value }) => new_value)).toEqual([
      undefined,
      'running',
      'pending',
      'running',
      'completed',
    ]);
  });

  test('fails its task when no attempt remains, and can be retried by hand', async () => {
    const failed = await at.runner.run(await at.runner.newTask());
    await at.runner.report(failed, { status: 'failed', exit_code: 3, error: 'exit code 3' });
    await at.runner.taskBecomes(failed.task_id, 'failed');
    const retried = await at.platform.tasks.retryTask({ task_id: failed.task_id }, at.platform.admin);
    expect(retried).toMatchObject({ status: 'queued', retry_attempt: 2 });
    await at.runner.taskBecomes(failed.task_id, 'pending');
    const again = at.platform.tasks.retryTask({ task_id: failed.task_id }, at.platform.admin);
    await expect(again).rejects.toMatchObject({ code: 'TASK_ALREADY_RUNNING' });
  });

  test('that its runner stopped, because it shuts down, has failed: it is tried again only while attempts remain', async () => {
    const stopped = { status: 'failed', exit_code: -15, error: 'runner stopped' } as const;
    const once = await at.runner.run(await at.runner.newTask());
    await at.runner.report(once, stopped);
    await at.runner.taskBecomes(once.task_id, 'failed');
    expect(await at.runner.stored(once.execution_id)).toMatchObject({ status: 'failed', error: 'runner stopped' });
    const twice = await at.runner.run(await at.runner.newTask(), { retry_attempts: 1 });
    await at.runner.report(twice, stopped);
    await at.runner.taskBecomes(twice.task_id, 'pending');
    expect(await at.runner.stored(twice.execution_id)).toMatchObject({
      status: 'queued',
      waiting_for: 'backoff',
      attempt: 2,
      attempts: [{ attempt: 1, status: 'failed', error: 'runner stopped' }],
    });
    await at.platform.ctx.executions.updateOne({ _id: twice.execution_id }, { $set: { due_at: new Date() } });
    await at.runner.takeSoon();
    const { job } = await at.runner.claim('normal', { runner_id: 'another' });
    expect(job).toMatchObject({ execution_id: twice.execution_id, generation: 2 });
    await at.runner.report({ ...twice, generation: 2 });
    await at.runner.taskBecomes(twice.task_id, 'completed');
  });

  test('whose process died before it told anybody is told by the sweep', async () => {
    const task_id = await at.runner.newTask();
    const { execution_id } = await at.runner.execute(task_id);
    const left = {
      id: 'left',
      time: new Date(Date.now() - 60_000).toISOString(),
      kind: 'queued' as const,
      generation: 0,
    };
    await at.platform.ctx.executions.updateOne({ _id: execution_id }, { $push: { outbox: left } });
    await until('the outbox to be empty', async () => (await at.runner.stored(execution_id)).outbox.length === 0);
  });

  test('whose runner is silent for a lease fails, and the late runner is refused', async () => {
    const lost = await at.runner.run(await at.runner.newTask());
    const renewal = { execution_id: lost.execution_id, generation: 1, runner_id: 'runner-1' };
    expect(await at.platform.executions.renewLease(renewal, at.platform.runner)).toEqual({ held: true });
    expect(await at.platform.executions.renewLease({ ...renewal, runner_id: 'other' }, at.platform.runner)).toEqual({
      held: false,
    });
    const past = { runner_id: 'runner-1', expires_at: new Date(Date.now() - 1) };
    await at.platform.ctx.executions.updateOne({ _id: lost.execution_id }, { $set: { lease: past } });
    const expiries = () => metricOf('execution_lease_expiries_total');
    const before = await expiries();
    await endExpired(at.platform.ctx);
    expect(await expiries()).toBe(before + 1);
    await at.runner.taskBecomes(lost.task_id, 'failed');
    expect(await at.runner.stored(lost.execution_id)).toMatchObject({ status: 'failed', error: 'runner lost' });
    expect(await at.platform.executions.renewLease(renewal, at.platform.runner)).toEqual({ held: false });
  });

  test('reports progress with the renewal of its lease, which never goes back', async () => {
    const going = await at.runner.run(await at.runner.newTask());
    await at.runner.taskBecomes(going.task_id, 'running');
    const renewal = { execution_id: going.execution_id, generation: 1, runner_id: 'runner-1' };
    for (const progress_percentage of [40, 30]) {
      await at.platform.executions.renewLease({ ...renewal, progress_percentage }, at.platform.runner);
    }
    expect(await at.runner.taskBecomes(going.task_id, 'running')).toMatchObject({ progress_percentage: 40 });
  });

  test('waits while its project runs as many as it may, and goes on when one ends', async () => {
    const limits = { max_concurrent_tasks: 1 };
    const { id } = await at.platform.projects.createProject(
      { name: 'Narrow', resource_limits: limits },
      at.platform.admin,
    );
    const first = await at.runner.run(await at.runner.newTask(id));
    const second = await at.runner.execute(await at.runner.newTask(id));
    await at.runner.takeSoon();
    expect(await at.runner.claim()).toMatchObject({ verdict: 'none' });
    expect(await at.runner.stored(second.execution_id)).toMatchObject({ waiting_for: 'project_limit' });
    await at.runner.report(first);
    await at.runner.takeSoon();
    expect(await at.runner.claim()).toMatchObject({ verdict: 'granted', job: { execution_id: second.execution_id } });
  });

  test('of which a crash left a slot taken does not block its project for ever', async () => {
    const { ctx } = at.platform;
    await ctx.slots.create({ _id: 'project-x', holders: ['an execution that never was'] });
    await releaseLeftSlots(ctx);
    expect(await ctx.slots.findById('project-x').lean()).toMatchObject({ holders: [] });
  });

  test('does not start before the tasks that block it are completed', async () => {
    const blocker = await at.runner.newTask();
    const task_id = await at.runner.newTask(project_id, [{ depends_on_task_id: blocker }]);
    await expect(at.runner.execute(task_id)).rejects.toMatchObject({
      code: 'TASK_DEPENDENCY_NOT_MET',
      details: { unmet: [{ task_id: blocker, status: 'pending' }] },
    });
    await at.platform.tasks.updateTask(
      { task_id: blocker, status: 'completed', tags: [], dependencies: [], cleared_fields: [] },
      at.platform.admin,
    );
    expect(await at.runner.execute(task_id)).toMatchObject({ status: 'queued' });
  });

  test('ends with its project', async () => {
    const { id } = await at.platform.projects.createProject({ name: 'Gone' }, at.platform.admin);
    const task_id = await at.runner.newTask(id);
    const { execution_id } = await at.runner.execute(task_id);
    await at.platform.projects.deleteProject({ project_id: id }, at.platform.admin);
    await until(
      'the execution to be cancelled',
      async () => (await at.runner.stored(execution_id)).status === 'cancelled',
    );
    await until(
      'the task to be deleted',
      async () => (await at.platform.ctx.tasks.findById(task_id).lean())?.deleted_at,
    );
  });

  test('is found by an index in whatever way it is looked for', async () => {
    const { executions } = at.platform.ctx;
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
