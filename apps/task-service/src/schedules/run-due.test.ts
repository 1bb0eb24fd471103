import { PlatformError } from '@claude-cli/shared/errors';
import { newEvent } from '@claude-cli/shared/events';
import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { Task } from '../tasks/task.ts';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { change, newTask } from '../testing/requests.ts';
import { runDue } from './run-due.ts';

// Times lie in years to come, so that the sweep of the service, which goes by the clock of the machine, leaves them alone.
const seconds = (count: number) => count * 1_000;

describe('a time of a schedule', () => {
  let platform: TestPlatform;
  let project_id: string;
  let year = 2030;

  beforeAll(async () => {
    platform = await startTestPlatform();
    project_id = (await platform.projects.createProject({ name: 'Scheduled' }, platform.admin)).id;
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });
  afterAll(async () => {
    await platform?.[Symbol.asyncDispose]();
  });

  const stored = async (task_id: string): Promise<Task> => {
    const task = await platform.ctx.tasks.findById(task_id).lean();
    if (!task) throw new Error('no task');
    return task;
  };
  /** A task whose time comes at that moment, in a year in which no other one's does. */
  const dueTask = async (given: { project?: string; set_by?: string; cron?: string; timezone?: string } = {}) => {
    const { project = project_id, cron = '0 3 * * *', timezone = 'UTC', set_by } = given;
    const schedule = { cron, timezone };
    const { id } = await platform.tasks.createTask(newTask(project, { command: 'true', schedule }), platform.admin);
    const due = new Date(`${year++}-06-01T03:00:00Z`);
    const set = { 'schedule.next_run_at': due, ...(set_by && { 'schedule.set_by': set_by }) };
    await platform.ctx.tasks.updateOne({ _id: id }, { $set: set });
    return { task_id: id, due, at: (afterSeconds: number) => new Date(due.getTime() + seconds(afterSeconds)) };
  };
  const executionsOf = (task_id: string) => platform.ctx.executions.find({ task_id }).sort({ queued_at: 1 }).lean();
  /** Let the latest execution of a task end well. */
  const complete = async (task_id: string) => {
    const { ctx } = platform;
    const execution_id = (await executionsOf(task_id)).at(-1)?._id ?? '';
    await ctx.executions.updateOne({ _id: execution_id }, { $set: { status: 'running', generation: 1 } });
    const now = new Date().toISOString();
    const data = {
      ...{ execution_id, task_id, generation: 1, exit_code: 0, error: null, result: null, output_bytes: 0 },
      ...{ cpu_seconds: null, peak_memory_bytes: null, started_at: now, finished_at: now },
      status: 'completed' as const,
    };
    await ctx.bus.publishEvent(newEvent('execution.finished', { actor: 'u', project_id }, data));
    await until('the task to be completed', async () => (await stored(task_id)).status === 'completed');
  };

  test('is one execution, whoever looks at the same moment', async () => {
    const { task_id, at, due } = await dueTask();
    await runDue(platform.ctx, at(-1));
    expect(await executionsOf(task_id)).toEqual([]);
    await Promise.all(Array.from({ length: 5 }, () => runDue(platform.ctx, at(0.5))));
    const executions = await executionsOf(task_id);
    expect(executions).toHaveLength(1);
    expect(executions[0]).toMatchObject({
      status: 'queued',
      requested_by: platform.admin.caller.user_id,
      priority: 'normal',
      timeout_ms: 3_600_000,
      max_attempts: 1,
    });
    const { schedule } = await stored(task_id);
    expect(schedule).toMatchObject({ next_run_at: new Date(due.getTime() + seconds(86_400)), missed_at: null });
    expect(schedule).not.toHaveProperty('pending');
  });

  test('runs a task again that was completed, and the next one, too', async () => {
    const { task_id, at } = await dueTask();
    await runDue(platform.ctx, at(0));
    await complete(task_id);
    await runDue(platform.ctx, at(86_400));
    await until('the task to be pending again', async () => (await stored(task_id)).status === 'pending');
    await complete(task_id);
    const executions = await executionsOf(task_id);
    expect(executions.map(({ status, run_number }) => [status, run_number])).toEqual([
      ['completed', 1],
      ['completed', 2],
    ]);
  });

  test('is missed while the task is queued or running, and the next one comes at its time', async () => {
    const { task_id, at, due } = await dueTask();
    await runDue(platform.ctx, at(0));
    await runDue(platform.ctx, at(86_400));
    expect(await executionsOf(task_id)).toHaveLength(1);
    expect((await stored(task_id)).schedule).toMatchObject({
      next_run_at: new Date(due.getTime() + seconds(2 * 86_400)),
      missed_at: at(86_400),
      missed_reason: 'TASK_ALREADY_RUNNING',
    });
    const told = (await platform.tasks.getTask({ task_id }, platform.admin)).schedule;
    expect(told).toMatchObject({ missed_at: at(86_400).toISOString(), missed_reason: 'TASK_ALREADY_RUNNING' });
  });

  test('is run up to a minute late, and missed afterwards', async () => {
    const { task_id, at } = await dueTask();
    await runDue(platform.ctx, at(59));
    await complete(task_id);
    await runDue(platform.ctx, at(3 * 86_400 + 61));
    expect(await executionsOf(task_id)).toHaveLength(1);
    expect((await stored(task_id)).schedule).toMatchObject({
      next_run_at: at(4 * 86_400),
      missed_at: at(86_400),
      missed_reason: 'SCHEDULE_LATE',
    });
  });

  test('goes by the clock of its time zone, over its changes', async () => {
    const { task_id } = await dueTask({ cron: '30 2 * * *', timezone: 'Europe/Berlin' });
    const times = ['2030-03-30T01:30Z', '2030-03-31T01:00Z', '2030-04-01T00:30Z'].map((time) => new Date(time));
    const set = { 'schedule.next_run_at': times[0] };
    await platform.ctx.tasks.updateOne({ _id: task_id }, { $set: set });
    const seen: unknown[] = [];
    for (const time of times) {
      seen.push((await stored(task_id)).schedule?.next_run_at);
      await runDue(platform.ctx, time);
    }
    expect(seen).toEqual(times);
  });

  test('is queued by another replica when one died before, under the same id', async () => {
    const { ctx } = platform;
    const { task_id, at } = await dueTask();
    const checked = jest.spyOn(ctx.accounts, 'checkUser').mockReturnValue(new Promise(() => {}));
    void runDue(ctx, at(0));
    const left = await until('the note', async () => (await stored(task_id)).schedule?.pending);
    checked.mockRestore();
    await runDue(ctx, at(14));
    expect(await executionsOf(task_id)).toEqual([]);
    await Promise.all([runDue(ctx, at(16)), runDue(ctx, at(16))]);
    expect(await executionsOf(task_id)).toMatchObject([{ _id: left.execution_id }]);
    expect((await stored(task_id)).schedule).not.toHaveProperty('pending');
  });

  test('is not run again when a replica died after it had queued it, even if that run has ended', async () => {
    const { ctx } = platform;
    const { task_id, at, due } = await dueTask();
    await runDue(ctx, at(0));
    const execution_id = (await executionsOf(task_id))[0]?._id ?? '';
    for (const ended of [false, true]) {
      if (ended) await complete(task_id);
      const pending = { execution_id, due_at: due, claimed_at: due };
      await ctx.tasks.updateOne({ _id: task_id }, { $set: { 'schedule.pending': pending } });
      await runDue(ctx, at(20));
      expect(await executionsOf(task_id)).toHaveLength(1);
      const { schedule } = await stored(task_id);
      expect(schedule).toMatchObject({ missed_at: null });
      expect(schedule).not.toHaveProperty('pending');
    }
  });

  test('waits for a service that is away, as long as it is not too late', async () => {
    const { ctx } = platform;
    const away = () => Promise.reject(new PlatformError('SERVICE_UNAVAILABLE', 'away'));
    const waits = await dueTask();
    jest.spyOn(ctx.accounts, 'checkUser').mockImplementationOnce(away);
    await runDue(ctx, waits.at(0));
    expect((await stored(waits.task_id)).schedule).toHaveProperty('pending');
    await runDue(ctx, waits.at(20));
    expect(await executionsOf(waits.task_id)).toHaveLength(1);

    const late = await dueTask();
    jest.spyOn(ctx.accounts, 'checkUser').mockImplementation(away);
    for (const after of [0, 20, 40, 61]) await runDue(ctx, late.at(after));
    expect(await executionsOf(late.task_id)).toEqual([]);
    const { schedule } = await stored(late.task_id);
    expect(schedule).toMatchObject({ missed_at: late.due, missed_reason: 'SCHEDULE_LATE' });
    expect(schedule).not.toHaveProperty('pending');
  });

  test('is missed when somebody has run the task since it came', async () => {
    const { ctx, admin, tasks } = platform;
    const { task_id, due, at } = await dueTask();
    const pending = { execution_id: newId(), due_at: due, claimed_at: due };
    await tasks.executeTask({ task_id }, admin);
    await complete(task_id);
    await ctx.tasks.updateOne({ _id: task_id }, { $set: { 'schedule.pending': pending } });
    await ctx.tasks.updateOne({ _id: task_id }, { $set: { 'schedule.next_run_at': at(86_400) } });
    await runDue(ctx, at(20));
    expect(await executionsOf(task_id)).toHaveLength(1);
    expect((await stored(task_id)).schedule).toMatchObject({ missed_reason: 'TASK_ALREADY_RUNNING' });
  });

  test('is missed when the one who set it may not execute the task any more', async () => {
    const { admin, ctx, projects, users } = platform;
    const account = { username: `u-${newId()}`, password: newId(), email: `${newId()}@example.com` };
    const { id: set_by } = await users.createUser({ ...account, role: 'developer' }, admin);
    const { task_id, at } = await dueTask({ set_by });
    const missedAt = async (day: number, reason: string) => {
      await runDue(ctx, at(day * 86_400));
      expect(await executionsOf(task_id)).toEqual([]);
      expect((await stored(task_id)).schedule).toMatchObject({
        missed_at: at(day * 86_400),
        missed_reason: reason,
        next_run_at: at((day + 1) * 86_400),
      });
    };
    await missedAt(0, 'PROJECT_ACCESS_DENIED');
    await projects.addMember({ project_id, user_id: set_by, role: 'editor' }, admin);
    await users.updateUser({ user_id: set_by, status: 'disabled' }, admin);
    await missedAt(1, 'AUTH_ACCOUNT_DISABLED');
    await users.updateUser({ user_id: set_by, status: 'active', role: 'viewer' }, admin);
    await missedAt(2, 'AUTH_INSUFFICIENT_PERMISSIONS');
    await users.updateUser({ user_id: set_by, role: 'developer' }, admin);
    await until('the access to be known', async () => {
      const day = 3 + (await executionsOf(task_id)).length;
      await ctx.tasks.updateOne({ _id: task_id }, { $set: { 'schedule.next_run_at': at(day * 86_400) } });
      await runDue(ctx, at(day * 86_400));
      return (await executionsOf(task_id)).length > 0;
    });
    expect(await executionsOf(task_id)).toMatchObject([{ requested_by: set_by }]);
  });

  test('is missed in a project that is archived, and never comes again for a task that is deleted', async () => {
    const { admin, ctx, projects, tasks } = platform;
    const { id: project } = await projects.createProject({ name: 'Archived' }, admin);
    const archived = await dueTask({ project });
    await projects.updateProject({ project_id: project, status: 'archived' }, admin);
    await runDue(ctx, archived.at(0));
    expect((await stored(archived.task_id)).schedule).toMatchObject({ missed_reason: 'PROJECT_ARCHIVED' });

    const deleted = await dueTask();
    await tasks.deleteTask({ task_id: deleted.task_id }, admin);
    await runDue(ctx, deleted.at(0));
    expect((await stored(deleted.task_id)).schedule).toMatchObject({ next_run_at: null, missed_at: null });
    expect(await executionsOf(archived.task_id)).toEqual([]);
    expect(await executionsOf(deleted.task_id)).toEqual([]);
  });

  test('is queued also while its queue is paused', async () => {
    const { admin, ctx, queues } = platform;
    await queues.pauseQueue({ queue_name: 'normal_priority' }, admin);
    const { task_id, at } = await dueTask();
    await runDue(ctx, at(0));
    await queues.resumeQueue({ queue_name: 'normal_priority' }, admin);
    expect(await executionsOf(task_id)).toMatchObject([{ status: 'queued' }]);
  });

  test('leaves a schedule alone that is changed between being read and being taken', async () => {
    const { admin, ctx, tasks } = platform;
    const { task_id, at } = await dueTask();
    const schedule = { cron: '7 5 * * *' };
    const take = ctx.tasks.updateOne.bind(ctx.tasks);
    const changeFirst = async (filter: { _id: string }, update: object) => {
      if (filter._id === task_id) await tasks.updateTask(change(task_id, { schedule }), admin);
      return take(filter, update);
    };
    jest.spyOn(ctx.tasks, 'updateOne').mockImplementation(changeFirst as never);
    await runDue(ctx, at(0));
    const after = (await stored(task_id)).schedule;
    expect(after).toMatchObject(schedule);
    expect(after?.next_run_at?.getUTCMinutes()).toBe(7);
    expect(after?.next_run_at?.getTime()).toBeLessThan(Date.now() + seconds(86_400));
    expect(await executionsOf(task_id)).toEqual([]);
  });
});
