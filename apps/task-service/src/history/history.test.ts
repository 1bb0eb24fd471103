import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { change, newTask } from '../testing/requests.ts';
import { changesIn } from './history.ts';

describe('a history', () => {
  let platform: TestPlatform;
  let task_id: string;

  beforeAll(async () => {
    platform = await startTestPlatform();
    const { id } = await platform.projects.createProject({ name: 'Told' }, platform.admin);
    task_id = (await platform.tasks.createTask(newTask(id), platform.admin)).id;
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  const last = async () => {
    const [{ history }, detail] = await Promise.all([
      platform.tasks.getTaskHistory({ task_id }, platform.admin),
      platform.tasks.getTask({ task_id }, platform.admin),
    ]);
    return { entry: history.at(-1), shown: detail.history.at(-1) };
  };

  test('calls a change of one field by its values', async () => {
    await platform.tasks.updateTask(change(task_id, { estimated_duration: '01:30:00' }), platform.admin);
    const values = { old_value: null, new_value: '01:30:00' };
    expect(await last()).toMatchObject({
      entry: { action: 'updated', user_name: 'admin', details: { changes: { estimated_duration: values } } },
      shown: { action: 'updated', ...values },
    });
  });

  test('calls a change of several fields by neither of their values', async () => {
    await platform.tasks.updateTask(change(task_id, { priority: 9, tags: ['a'] }), platform.admin);
    const { entry, shown } = await last();
    expect(entry?.details).toEqual({
      changes: { priority: { old_value: 1, new_value: 9 }, tags: { old_value: [], new_value: ['a'] } },
    });
    expect(shown).toMatchObject({ action: 'updated', old_value: undefined, new_value: undefined });
  });

  test('calls a change of the assignee assigned', async () => {
    const { user_id } = platform.admin.caller;
    await platform.tasks.updateTask(change(task_id, { assigned_to: user_id }), platform.admin);
    const values = { old_value: null, new_value: user_id };
    expect(await last()).toMatchObject({ entry: { action: 'assigned', details: values }, shown: values });
  });

  test('keeps with a new status what was changed besides, as the example of the reference does it', async () => {
    const given = { title: 'Updated', status: 'running' as const, progress_percentage: 75 };
    await platform.tasks.updateTask(change(task_id, given), platform.admin);
    const { entry, shown } = await last();
    expect(shown).toMatchObject({ action: 'status_changed', old_value: 'pending', new_value: 'running' });
    expect(entry?.details).toEqual({
      old_value: 'pending',
      new_value: 'running',
      changes: {
        title: { old_value: 'Write the docs', new_value: 'Updated' },
        progress_percentage: { old_value: 0, new_value: 75 },
      },
    });
    const fields = changesIn({ action: 'status_changed', details: entry?.details ?? {} }).map(({ field }) => field);
    expect(fields).toEqual(['status', 'title', 'progress_percentage']);
  });

  test('says in which session something was done', async () => {
    const { tasks, admin, ctx } = platform;
    const session_id = newId();
    const inSession = { ...admin, caller: { ...admin.caller, session_id } };
    await tasks.updateTask(change(task_id, { title: 'In a session' }), inSession);
    await tasks.updateTask(change(task_id, { status: 'completed' }), inSession);
    await tasks.deleteTask({ task_id }, inSession);
    const entries = await until('the entries', async () => {
      const found = await ctx.history.find({ session_id }).sort({ timestamp: 1, _id: 1 }).lean();
      return found.length === 3 && found;
    });
    expect(entries.map(({ action }) => action)).toEqual(['updated', 'status_changed', 'deleted']);
    expect(await ctx.history.countDocuments({ task_id, session_id: null })).toBe(5);
  });
});
