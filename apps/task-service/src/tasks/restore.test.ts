import { setTimeout } from 'node:timers/promises';
import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { change, newTask } from '../testing/requests.ts';

describe('tasks changed in a session', () => {
  let platform: TestPlatform;
  let project_id: string;
  let inSession: Origin;

  beforeAll(async () => {
    platform = await startTestPlatform();
    project_id = (await platform.projects.createProject({ name: 'Restored' }, platform.admin)).id;
  });
  beforeEach(() => {
    const { caller, requestId } = platform.admin;
    inSession = { caller: { ...caller, session_id: newId() }, requestId };
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  const create = async (given = {}) => (await platform.tasks.createTask(newTask(project_id, given), platform.admin)).id;
  const read = (task_id: string) => platform.tasks.getTask({ task_id }, platform.admin);
  /** A moment that lies strictly between what was before and what comes after. */
  const moment = async () => {
    await setTimeout(2);
    const at = new Date().toISOString();
    await setTimeout(2);
    return at;
  };
  const restore = (restore_point: string, origin = inSession) =>
    platform.tasks.restoreTasks({ session_id: origin.caller.session_id ?? '', restore_point }, origin);

  test('get back every editable field as it was before the first change after the point', async () => {
    const { tasks } = platform;
    const { user_id } = platform.admin.caller;
    const other = await create();
    const planned = {
      title: 'Before',
      description: 'Old',
      priority: 3,
      estimated_duration: '00:10:00',
      tags: ['old'],
      metadata: { 'a.b': { $c: [1] } },
      command: 'true',
      dependencies: [{ depends_on_task_id: other }],
    };
    const task_id = await create(planned);
    await tasks.updateTask(change(task_id, { progress_percentage: 40 }), inSession);
    const before = await read(task_id);
    const point = await moment();
    const cleared_fields = ['estimated_duration', 'metadata', 'command', 'dependencies', 'tags'];
    const changes = { title: 'Then', description: 'New', priority: 4, assigned_to: user_id, cleared_fields };
    await tasks.updateTask(change(task_id, changes), inSession);
    await tasks.updateTask(change(task_id, { title: 'After', status: 'completed' }), inSession);

    const { tasks: restored, skipped } = await restore(point);
    expect(skipped).toEqual([]);
    expect(restored.map((task) => task.task_id)).toEqual([task_id]);
    expect(restored[0]?.fields.sort()).toEqual(
      [
        'assigned_to',
        'command',
        'dependencies',
        'description',
        'estimated_duration',
        'metadata',
        'priority',
        'progress_percentage',
        'status',
        'tags',
        'title',
      ].sort(),
    );
    const after = await read(task_id);
    const { updated_at: _, history, ...same } = after;
    expect({ ...before, ...same }).toEqual({ ...before, completed_at: undefined });
    expect(history.at(-1)).toMatchObject({ action: 'status_changed', new_value: 'pending' });
    expect(await restore(point)).toEqual({ tasks: [], skipped: [] });
  });

  test('are looked at only as far as the caller changed them in this session after the point', async () => {
    const { tasks, admin } = platform;
    const [mine, elsewhere, earlier] = [await create(), await create(), await create()];
    await tasks.updateTask(change(earlier, { title: 'Earlier' }), inSession);
    const point = await moment();
    await tasks.updateTask(change(mine, { title: 'Mine' }), inSession);
    await tasks.updateTask(change(elsewhere, { title: 'Elsewhere' }), admin);
    const { tasks: restored } = await restore(point);
    expect(restored).toEqual([{ task_id: mine, fields: ['title'] }]);
    expect((await read(elsewhere)).title).toBe('Elsewhere');
    expect((await read(earlier)).title).toBe('Earlier');
    const stranger = { ...inSession, caller: { ...inSession.caller, user_id: newId() } };
    expect(await restore(point, stranger)).toEqual({ tasks: [], skipped: [] });
  });

  test('keep what others have changed since, field by field', async () => {
    const { tasks, admin } = platform;
    const task_id = await create({ description: 'Old' });
    const point = await moment();
    await tasks.updateTask(change(task_id, { title: 'Mine', description: 'Mine' }), inSession);
    await tasks.updateTask(change(task_id, { title: 'Theirs' }), admin);
    const { tasks: restored, skipped } = await restore(point);
    expect(restored).toEqual([{ task_id, fields: ['description'] }]);
    expect(skipped).toMatchObject([{ task_id, code: 'RESOURCE_CONFLICT', reason: expect.stringContaining('title') }]);
    expect(await read(task_id)).toMatchObject({ title: 'Theirs', description: 'Old' });
  });

  test('keep a status that cannot go back or belongs to an execution, and get back the rest', async () => {
    const { tasks } = platform;
    const [failed, queued, gone] = [await create(), await create(), await create()];
    await tasks.updateTask(change(failed, { status: 'failed' }), inSession);
    const point = await moment();
    await tasks.updateTask(change(failed, { title: 'Again', status: 'pending' }), inSession);
    await tasks.updateTask(change(failed, { status: 'completed' }), inSession);
    await tasks.updateTask(change(queued, { title: 'Queued', status: 'failed' }), inSession);
    await tasks.executeTask({ task_id: queued }, platform.admin);
    await tasks.updateTask(change(gone, { title: 'Gone' }), inSession);
    await tasks.deleteTask({ task_id: gone }, inSession);
    await until('the queue to be known', async () => (await read(queued)).status === 'pending');
    const { tasks: restored, skipped } = await restore(point);
    const byId = Object.fromEntries(skipped.map(({ task_id, code }) => [task_id, code]));
    expect(byId).toEqual({ [failed]: 'RESOURCE_CONFLICT', [gone]: 'TASK_NOT_FOUND' });
    expect(restored.map(({ task_id, fields }) => [task_id, fields])).toEqual([
      [failed, ['title']],
      [queued, ['title']],
    ]);
    expect(await read(failed)).toMatchObject({ title: 'Write the docs', status: 'completed' });
  });

  test('are restored even when their history still waits to be told', async () => {
    const { tasks, ctx } = platform;
    const task_id = await create();
    const point = await moment();
    await tasks.updateTask(change(task_id, { title: 'Untold' }), inSession);
    const { session_id } = inSession.caller;
    await until('the outbox to be told', async () => (await ctx.tasks.findById(task_id).lean())?.outbox.length === 0);
    const entry = await ctx.history.findOne({ session_id: session_id ?? '' }).lean();
    if (!entry) throw new Error('no entry');
    const event = {
      id: entry._id,
      type: 'task.updated' as const,
      time: entry.timestamp.toISOString(),
      actor: entry.user_id,
      project_id,
      session_id: session_id ?? null,
      version: 2,
      data: {
        task_id,
        title: 'Untold',
        status: 'pending' as const,
        progress_percentage: 0,
        updated_at: entry.timestamp.toISOString(),
        changes: [{ field: 'title', old_value: 'Write the docs', new_value: 'Untold' }],
      },
    };
    // As a process leaves it that dies right after its answer.
    await ctx.history.deleteOne({ _id: entry._id });
    await ctx.tasks.updateOne({ _id: task_id }, { $push: { outbox: event } });
    expect((await restore(point)).tasks).toEqual([{ task_id, fields: ['title'] }]);
  });

  test('are found by an index', async () => {
    const { ctx } = platform;
    const { session_id = '', user_id } = inSession.caller;
    const plan = await ctx.history.collection
      .find({ session_id, user_id, timestamp: { $gt: new Date(0) } })
      .sort({ timestamp: 1, _id: 1 })
      .explain('queryPlanner');
    const winning = JSON.stringify(plan.queryPlanner.winningPlan);
    expect(winning).toContain('session_id_1_user_id_1_timestamp_1__id_1');
    expect(winning).not.toContain('"SORT"');
  });
});
