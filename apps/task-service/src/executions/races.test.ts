import { setTimeout } from 'node:timers/promises';
import { newId } from '@claude-cli/shared/ids';
import { inParallel } from '@claude-cli/shared/in-parallel';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { type PlayedRunner, playRunner } from '../testing/played-runner.ts';
import { change } from '../testing/requests.ts';
import { cancelExecution } from './cancel-execution.ts';
import { endExpired, wakeDue } from './sweep.ts';

const final = ['completed', 'failed', 'cancelled', 'timed_out'];

describe('whatever happens to an execution at the same time', () => {
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

  const newProject = async (max_concurrent_tasks = 3) => {
    const resource_limits = { max_concurrent_tasks };
    return (await platform.projects.createProject({ name: 'Races', resource_limits }, platform.admin)).id;
  };
  const newTasks = (project: string, count: number) =>
    inParallel(Array.from({ length: count }), 5, () => runner.newTask(project));
  const soon = () => setTimeout(Math.random() * 40);

  test('it comes to exactly one end, and all slots are free then', async () => {
    const { ctx, queues, admin } = platform;
    const project = await newProject();
    const task_ids = await newTasks(project, 30);
    const queued = await inParallel(task_ids, 5, (id) => runner.execute(id, 'normal', { retry_attempts: 1 }));
    let working = true;
    const endings: string[] = [];

    const runnerLoop = async (name: string) => {
      while (working) {
        const priority = (['high', 'normal', 'low'] as const)[Math.floor(Math.random() * 3)];
        const { job } = await runner.claim(priority, { runner_id: name });
        await soon();
        if (!job) continue;
        const status = (['completed', 'failed', 'timed_out'] as const)[Math.floor(Math.random() * 3)] ?? 'completed';
        // Now and then the report comes twice, or never, so that the lease expires.
        const reports = [0, 1, 1, 1, 2][Math.floor(Math.random() * 5)] ?? 1;
        for (let n = 0; n < reports; n++) await runner.report(job, { status });
        if (reports > 0) continue;
        const past = new Date(Date.now() - 1);
        await ctx.executions.updateOne(
          { _id: job.execution_id, generation: job.generation, status: 'running' },
          [{ $set: { 'lease.expires_at': past } }],
          { updatePipeline: true },
        );
      }
    };
    const cancel = async (task_id: string) => {
      const execution = await ctx.executions.findOne({ task_id, active: true }).lean();
      if (!execution) return;
      await cancelExecution(ctx, execution, { by: 'u', reason: null, at: new Date() });
      endings.push(task_id);
    };
    const chaos = async () => {
      while (working) {
        await soon();
        const task_id = task_ids[Math.floor(Math.random() * task_ids.length)] ?? '';
        const what = Math.floor(Math.random() * 6);
        const queue_name = 'normal_priority' as const;
        const asked = [
          () => cancel(task_id),
          () => queues.changeQueuePriority({ task_ids: [task_id], priority: 'high' }, admin),
          () => queues.changeQueuePriority({ task_ids: [task_id], priority: 'low' }, admin),
          async () => {
            await queues.pauseQueue({ queue_name }, admin);
            await queues.resumeQueue({ queue_name }, admin);
          },
          () => endExpired(ctx),
          async () => {
            await ctx.executions.updateMany({ waiting_for: 'backoff' }, { $set: { due_at: new Date() } });
            await wakeDue(ctx);
          },
        ][what]?.();
        // A wish that comes too late is refused; what counts is what became of the execution.
        await asked?.catch((error) => expect(error.code).toBe('RESOURCE_CONFLICT'));
      }
    };

    const all = ctx.executions.find({ _id: { $in: queued.map(({ execution_id }) => execution_id) } });
    const work = [...['a', 'b', 'c', 'd'].map(runnerLoop), chaos(), chaos()];
    await until(
      'all to have ended',
      async () => (await all.clone().lean()).every(({ active }) => !active),
      60_000,
    ).finally(() => {
      working = false;
    });
    await Promise.all(work);
    const ended = await all.clone().lean();
    for (const execution of ended) {
      expect(final).toContain(execution.status);
      expect(execution).toMatchObject({ lease: null, waiting_for: null });
      expect(execution.attempts.length).toBeLessThanOrEqual(2);
      expect(execution.attempts.filter(({ attempt }) => attempt === execution.attempt)).toHaveLength(1);
      expect(execution.attempts.at(-1)?.status).toBe(execution.status);
    }
    await until(
      'the outboxes to be empty',
      async () => !(await ctx.executions.exists({ project_id: project, 'outbox.0': { $exists: true } })),
    );
    for (const execution of ended) {
      const status = execution.status === 'timed_out' ? 'failed' : execution.status;
      await runner.taskBecomes(execution.task_id, status);
    }
    await until('all slots to be given back', () => ctx.slots.exists({ _id: project, holders: [] }));
    for (const task_id of endings) {
      expect(ended.find((execution) => execution.task_id === task_id)?.status).toBe('cancelled');
    }
  });

  test('a limit of the project is never exceeded, and nobody who waits for it is forgotten', async () => {
    const { ctx } = platform;
    const project = await newProject();
    await inParallel(await newTasks(project, 25), 5, (task_id) => runner.execute(task_id));
    let most = 0;
    const running = () => ctx.executions.countDocuments({ project_id: project, status: 'running' });
    const loop = async () => {
      for (;;) {
        const { job } = await runner.claim();
        most = Math.max(most, await running());
        if (job) await runner.report(job);
        else if (!(await ctx.executions.exists({ project_id: project, active: true }))) return;
        else await soon();
      }
    };
    await Promise.all(Array.from({ length: 6 }, loop));
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(3);
    expect(await ctx.executions.countDocuments({ project_id: project, status: 'completed', attempt: 1 })).toBe(25);
  });

  test('clearing a queue ends each one that waits once, with its task, and leaves what was faster', async () => {
    const { ctx, queues, tasks, admin } = platform;
    const project = await newProject(1_000);
    const task_ids = await newTasks(project, 40);
    const queued = await inParallel(task_ids, 5, (task_id) => runner.execute(task_id, 'low'));
    const claims = Promise.all(
      Array.from({ length: 6 }, async () => {
        await soon();
        return (await runner.claim('low')).job?.execution_id;
      }),
    );
    const renaming = inParallel(task_ids, 3, (task_id) =>
      tasks.updateTask(change(task_id, { title: 'Renamed' }), admin, { deadlineMs: 20_000 }),
    );
    const moving = queues.changeQueuePriority({ task_ids: task_ids.slice(20, 24), priority: 'high' }, admin);
    const clear = () => queues.clearQueue({ queue_name: 'low_priority', confirm: true }, admin, { deadlineMs: 30_000 });
    const cleared = await Promise.all([clear(), clear()]);
    const [granted] = await Promise.all([claims, renaming, moving]);
    const executions = await ctx.executions
      .find({ _id: { $in: queued.map(({ execution_id }) => execution_id) } })
      .lean();
    const cancelled = executions.filter(({ status }) => status === 'cancelled');
    expect(cancelled).toHaveLength(cleared.reduce((sum, { cleared_count }) => sum + cleared_count, 0));
    for (const { _id, status, priority } of executions) {
      if (granted.includes(_id)) expect(status).toBe('running');
      else expect([status, priority]).toEqual(status === 'queued' ? ['queued', 'high'] : ['cancelled', 'low']);
    }
    for (const { task_id } of cancelled) await runner.taskBecomes(task_id, 'cancelled');
    const told = { task_id: { $in: task_ids }, event: 'task.cancelled' };
    await until('all to be in the history', async () => (await ctx.history.countDocuments(told)) === cancelled.length);
    const untold = { 'outbox.0': { $exists: true } };
    await until('the outboxes to be empty', async () => {
      const tasks = await ctx.tasks.countDocuments({ project_id: project, ...untold });
      return tasks + (await ctx.executions.countDocuments({ project_id: project, ...untold })) === 0;
    });
    expect(await ctx.tasks.countDocuments({ project_id: project, title: 'Renamed' })).toBe(40);
  });

  test('tokens that are lost are sent again, and ones too many run nothing twice', async () => {
    const { ctx } = platform;
    const project = runner.project_id;
    const count = 12;
    for (let n = 0; n < count; n++) await runner.execute(await runner.newTask(project));
    await until('all to be announced', async () => (await ctx.bus.countJobs('normal')) >= count);
    await runner.purge();
    expect(await ctx.bus.countJobs('normal')).toBe(0);
    for (let n = 0; n < 5; n++) await ctx.bus.publishJob('normal');
    const granted: string[] = [];
    const deadline = Date.now() + 20_000;
    while (granted.length < count && Date.now() < deadline) {
      await runner.takeSoon();
      const { job } = await runner.claim('normal', { claim_id: newId() });
      if (!job) continue;
      granted.push(job.execution_id);
      await runner.report(job);
    }
    expect(new Set(granted).size).toBe(count);
    for (let n = 0; n < 3; n++) expect(await runner.claim()).toMatchObject({ verdict: 'none' });
    await until('no token is left over for long', async () => (await runner.take()) === false);
  });

  test('attempts of one request to execute a task make one execution', async () => {
    const { tasks, admin } = platform;
    const task_id = await runner.newTask();
    const origin = { ...admin, creates: { id: newId(), again: true } };
    const request = { task_id, priority: 'normal', options: {} } as const;
    const made = await Promise.all(Array.from({ length: 5 }, () => tasks.executeTask(request, origin)));
    expect(made.map(({ execution_id }) => execution_id)).toEqual(made.map(() => origin.creates.id));
    const another = tasks.executeTask(request, { ...admin, creates: { id: newId(), again: true } });
    await expect(another).rejects.toMatchObject({ code: 'TASK_ALREADY_RUNNING' });
  });

  test('an execution whose task was deleted is not given to anybody', async () => {
    const { ctx } = platform;
    const task_id = await runner.newTask();
    const { execution_id } = await runner.execute(task_id);
    await ctx.tasks.updateOne({ _id: task_id }, { $set: { deleted_at: new Date() } });
    // Another process queued it.
    ctx.knownTasks.delete(execution_id);
    expect(await runner.claim()).toMatchObject({ verdict: 'none' });
    expect(await runner.stored(execution_id)).toMatchObject({ status: 'cancelled', error: 'The task was deleted' });
  });

  test('an execution whose task was deleted unnoticed is stopped as soon as its start is told', async () => {
    const { ctx } = platform;
    const task_id = await runner.newTask();
    const { execution_id } = await runner.execute(task_id);
    await ctx.tasks.updateOne({ _id: task_id }, { $set: { deleted_at: new Date() } });
    expect(await runner.claim()).toMatchObject({ verdict: 'granted' });
    await until('its end is asked for', async () => (await runner.stored(execution_id)).cancel_request !== null);
  });

  test('one that somebody wanted cancelled before dying is not given to anybody', async () => {
    const { ctx } = platform;
    const { execution_id } = await runner.execute(await runner.newTask());
    const cancel_request = { by: 'u', reason: null, at: new Date() };
    await ctx.executions.updateOne({ _id: execution_id }, { $set: { cancel_request } });
    expect(await runner.claim()).toMatchObject({ verdict: 'none' });
    expect(await runner.stored(execution_id)).toMatchObject({ status: 'cancelled' });
  });
});
