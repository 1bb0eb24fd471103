import { newId } from '@claude-cli/shared/ids';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { endedExecution } from '../testing/ended-execution.ts';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { newTask } from '../testing/requests.ts';
import { storedOutput } from './stored-output.ts';
import { releaseLeftReservations } from './task-room.ts';

describe('a project', () => {
  let platform: TestPlatform;

  beforeAll(async () => {
    platform = await startTestPlatform();
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  const newProject = async (resource_limits: { max_tasks?: number; storage_limit?: string }) =>
    (await platform.projects.createProject({ name: 'Limited', resource_limits }, platform.admin)).id;
  const create = async (project_id: string) =>
    (await platform.tasks.createTask(newTask(project_id), platform.admin)).id;
  const exceeded = { code: 'PROJECT_LIMIT_EXCEEDED' };

  test('holds exactly as many tasks as it may, however many are created at once', async () => {
    const { ctx } = platform;
    const project_id = await newProject({ max_tasks: 7 });
    await Promise.all([create(project_id), create(project_id), create(project_id)]);
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => create(project_id)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(4);
    expect(await ctx.tasks.countDocuments({ project_id, deleted_at: null })).toBe(7);
    expect(await ctx.usage.findById(project_id).lean()).toMatchObject({ creating: [] });
  });

  test('has room again when a task is deleted', async () => {
    const project_id = await newProject({ max_tasks: 1 });
    const task_id = await create(project_id);
    await expect(create(project_id)).rejects.toMatchObject({ ...exceeded, details: { max_tasks: 1 } });
    await platform.tasks.deleteTask({ task_id }, platform.admin);
    await create(project_id);
  });

  test('is not counted for each task when it is large, and holds exactly as many as it may nevertheless', async () => {
    const { ctx } = platform;
    const project_id = await newProject({ max_tasks: 150 });
    const others = Array.from({ length: 110 }, () => ({ _id: newId(), project_id, deleted_at: null }));
    await ctx.tasks.collection.insertMany(others as never[]);
    const count = jest.spyOn(ctx.tasks, 'countDocuments');
    await create(project_id);
    for (let n = 0; n < 10; n++) await create(project_id);
    expect(count).toHaveBeenCalledTimes(1);
    const outcomes = await Promise.allSettled(Array.from({ length: 50 }, () => create(project_id)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(29);
    count.mockRestore();
    expect(await ctx.tasks.countDocuments({ project_id, deleted_at: null })).toBe(150);
    await ctx.tasks.collection.updateOne({ _id: others[0]?._id } as never, { $set: { deleted_at: new Date() } });
    await create(project_id);
    await expect(create(project_id)).rejects.toMatchObject(exceeded);
  });

  test('is counted anew when what is known of it is old, or from a clock that is wrong', async () => {
    const { ctx } = platform;
    const project_id = await newProject({ max_tasks: 1 });
    await create(project_id);
    for (const age of [61_000, -60_000]) {
      const counted = { tasks: 0, reserved: 1_000, at: new Date(Date.now() - age) };
      await ctx.usage.updateOne({ _id: project_id }, { $set: { counted } });
      await expect(create(project_id)).rejects.toMatchObject(exceeded);
    }
  });

  test('waits for those who are about to take its last room, and forgets those who died over it', async () => {
    const { ctx } = platform;
    const project_id = await newProject({ max_tasks: 1 });
    const reserve = (age: number) => {
      const creating = [{ task_id: newId(), at: new Date(Date.now() - age) }];
      return ctx.usage.updateOne({ _id: project_id }, { $set: { creating } }, { upsert: true });
    };
    await reserve(1_000);
    await releaseLeftReservations(ctx);
    await expect(create(project_id)).rejects.toMatchObject(exceeded);
    await reserve(120_000);
    await releaseLeftReservations(ctx);
    await create(project_id);
  });

  const ended = (project_id: string, output_bytes: number, finished_at: Date) =>
    platform.ctx.executions.insertOne(endedExecution(project_id, finished_at, output_bytes));

  test('runs nothing more once its executions have stored as much output as it may', async () => {
    const { tasks, admin } = platform;
    const project_id = await newProject({ storage_limit: '1KB' });
    const task_id = await create(project_id);
    await ended(project_id, 1_000, new Date());
    await tasks.executeTask({ task_id }, admin);
    await tasks.cancelTask({ task_id }, admin);
    await ended(project_id, 24, new Date());
    const details = { storage_limit: '1KB', stored_bytes: 1_024 };
    await expect(tasks.executeTask({ task_id }, admin)).rejects.toMatchObject({ ...exceeded, details });
    await expect(tasks.retryTask({ task_id }, admin)).rejects.toMatchObject(exceeded);
  });

  test('knows its stored output exactly, also when only the latest ends are added up', async () => {
    const { ctx } = platform;
    const project_id = newId();
    const now = Date.now();
    for (let n = 0; n < 500; n++) await ended(project_id, 2, new Date(now - 3_600_000 + n));
    await ended(project_id, 5, new Date(now));
    expect(await storedOutput(ctx, project_id)).toBe(1_005);
    expect(await ctx.usage.findById(project_id).lean()).toMatchObject({ output: { bytes: 1_000 } });
    await ended(project_id, 7, new Date());
    expect(await storedOutput(ctx, project_id)).toBe(1_012);
    for (let n = 0; n < 500; n++) await ended(project_id, 1, new Date(now - 60_000));
    expect(await storedOutput(ctx, project_id)).toBe(1_512);
    await Promise.all([1, 2, 3].map(() => storedOutput(ctx, project_id, new Date(now + 3_600_000))));
    expect(await ctx.usage.findById(project_id).lean()).toMatchObject({ output: { bytes: 1_512 } });
    expect(await storedOutput(ctx, project_id)).toBe(1_512);
  });

  test('is asked for its output by an index', async () => {
    const filter = { project_id: newId(), finished_at: { $gt: new Date() } };
    const plan = await platform.ctx.executions.collection.find(filter).explain('queryPlanner');
    const winning = JSON.stringify(plan.queryPlanner.winningPlan);
    expect(winning).toContain('project_id_1_finished_at_1_output_bytes_1');
  });
});
