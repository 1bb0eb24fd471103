import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { newTask } from '../testing/requests.ts';

describe('the tasks of a deleted project', () => {
  let platform: TestPlatform;

  beforeAll(async () => {
    platform = await startTestPlatform();
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  test('are deleted with it, what waits to run never runs, and other projects are left alone', async () => {
    const { tasks, projects, admin, ctx } = platform;
    const [gone, kept] = await Promise.all([
      projects.createProject({ name: 'Gone' }, admin),
      projects.createProject({ name: 'Kept' }, admin),
    ]);
    const create = async (project_id: string) =>
      (await tasks.createTask(newTask(project_id, { command: 'true' }), admin)).id;
    const [queued, plain, other] = [await create(gone.id), await create(gone.id), await create(kept.id)];
    const { execution_id } = await tasks.executeTask({ task_id: queued }, admin);
    await projects.deleteProject({ project_id: gone.id }, admin);
    await until('the tasks to be deleted', async () => {
      return (await ctx.tasks.countDocuments({ _id: { $in: [queued, plain] }, deleted_at: { $ne: null } })) === 2;
    });
    const { user_id } = admin.caller;
    expect(await ctx.tasks.findById(plain).lean()).toMatchObject({ deleted_by: user_id });
    expect(await ctx.executions.findById(execution_id).lean()).toMatchObject({
      status: 'cancelled',
      cancel_request: { by: user_id, reason: 'the project was deleted' },
    });
    await until('its usage to be forgotten', async () => (await ctx.usage.findById(gone.id).lean()) === null);
    expect(await tasks.getTask({ task_id: other }, admin)).toMatchObject({ id: other });
  });
});
