import type { RestoreTasksRequest } from '@claude-cli/proto/platform/v1/tasks';
import { permissionsOf } from '@claude-cli/shared/caller';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { someone, startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { allTold, leaveUntold } from '../testing/untold.ts';
import { requireRestorePoint } from './restore-point.ts';

describe('restoring sessions', () => {
  let platform: TestPlatform;
  const user = someone();

  beforeAll(async () => {
    platform = await startTestPlatform();
  });
  afterEach(() => {
    platform.tasks.restore = async () => ({ tasks: [], skipped: [] });
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  /** A moment after everything that was done before, and before everything that comes. */
  async function aMoment(): Promise<string> {
    const from = Date.now();
    await until('the clock to go on', () => Date.now() > from);
    const moment = Date.now();
    await until('the clock to go on', () => Date.now() > moment);
    return new Date(moment).toISOString();
  }

  async function open(settings: Record<string, unknown>) {
    const { session_id, created_at = '' } = await platform.sessions.createSession({ settings }, user);
    return { session_id, created_at };
  }

  const set = (session_id: string, settings: Record<string, unknown>) =>
    platform.sessions.updateSession({ session_id, settings }, user);

  test('settings come back as they were at each point, and a restore can be undone', async () => {
    const { sessions } = platform;
    const { session_id, created_at } = await open({ theme: 'dark' });
    const moments = [created_at];
    for (const settings of [{ theme: 'light' }, { size: 2 }, { theme: 'blue' }]) {
      await aMoment();
      await set(session_id, settings);
      moments.push(await aMoment());
    }
    const states: Record<string, unknown>[] = [
      { theme: 'dark' },
      { theme: 'light' },
      { theme: 'light', size: 2 },
      { theme: 'blue', size: 2 },
    ];
    const restore = (restore_point = '') => sessions.restoreSession({ session_id, restore_point }, user);
    // From the last to the first and on to the last again: each point lies before restores made meanwhile.
    for (const at of [2, 0, 3, 1]) {
      const restored = await restore(moments[at]);
      expect(restored).toMatchObject({ settings: states[at], settings_restored: true, tasks: [], skipped: [] });
      expect((await sessions.getSession({ session_id }, user)).settings).toEqual(states[at]);
      moments.push(await aMoment());
      states.push(states[at] ?? {});
    }
    // To just after the restore to the first point.
    expect(await restore(moments[5])).toMatchObject({ settings: states[0], settings_restored: true });
    expect(await restore(moments[5])).toMatchObject({ settings: states[0], settings_restored: false });
    const { history } = await sessions.getSessionHistory({ session_id }, user);
    const restores = history.filter(({ action }) => action === 'settings_restored');
    expect(restores.map(({ details }) => details)).toEqual([
      { restore_point: moments[2], before: states[3], after: states[2] },
      { restore_point: moments[0], before: states[2], after: states[0] },
      { restore_point: moments[3], before: states[0], after: states[3] },
      { restore_point: moments[1], before: states[3], after: states[1] },
      { restore_point: moments[5], before: states[1], after: states[0] },
    ]);
  });

  test('a change that still waits to be told is undone all the same', async () => {
    const { sessions } = platform;
    const { session_id } = await open({ a: 1 });
    const restore_point = await aMoment();
    await set(session_id, { a: 2 });
    await leaveUntold(platform, session_id);
    expect(await sessions.restoreSession({ session_id, restore_point }, user)).toMatchObject({ settings: { a: 1 } });
  });

  test('tasks are restored as by the session, and each is an entry', async () => {
    const { sessions, tasks } = platform;
    const { session_id } = await open({ a: 1 });
    const restore_point = await aMoment();
    await set(session_id, { a: 2 });
    const [one, two, three] = [newId(), newId(), newId()];
    const asked: [RestoreTasksRequest, string | undefined][] = [];
    const skipped = [{ task_id: three, code: 'RESOURCE_CONFLICT', reason: 'changed by somebody else' }];
    tasks.restore = async (request: RestoreTasksRequest, call: Origin) => {
      asked.push([request, call.caller.session_id]);
      return {
        tasks: [
          { task_id: one, fields: ['title'] },
          { task_id: two, fields: ['priority', 'tags'] },
        ],
        skipped,
      };
    };
    const elsewhere = { ...user, caller: { ...user.caller, session_id: newId() } };
    const restored = await sessions.restoreSession(
      { session_id, restore_point, include_tasks: true, include_settings: false },
      elsewhere,
    );
    expect(asked).toEqual([[{ session_id, restore_point }, session_id]]);
    expect(restored).toMatchObject({
      settings: { a: 2 },
      settings_restored: false,
      tasks: [{ task_id: one, fields: ['title'] }, { task_id: two }],
      skipped,
    });
    const { history } = await sessions.getSessionHistory({ session_id, offset: 2 }, user);
    expect(history).toMatchObject([
      { action: 'task_restored', details: { restore_point, task_id: one, fields: ['title'] } },
      { action: 'task_restored', details: { restore_point, task_id: two, fields: ['priority', 'tags'] } },
    ]);
  });

  test('nothing is restored when the tasks cannot be', async () => {
    const { sessions, tasks } = platform;
    const { session_id } = await open({ a: 1 });
    const restore_point = await aMoment();
    await set(session_id, { a: 2 });
    tasks.restore = async () => {
      throw new PlatformError('DATABASE_ERROR', 'A database operation failed');
    };
    const restored = sessions.restoreSession({ session_id, restore_point, include_tasks: true }, user);
    await expect(restored).rejects.toMatchObject({ code: 'DATABASE_ERROR' });
    expect((await sessions.getSession({ session_id }, user)).settings).toEqual({ a: 2 });
  });

  test('tasks are restored by those only who may write', async () => {
    const { sessions } = platform;
    const { session_id, created_at: restore_point } = await open({});
    const reader = { ...user, caller: { ...user.caller, permissions: permissionsOf.viewer } };
    const refused = sessions.restoreSession({ session_id, restore_point, include_tasks: true }, reader);
    await expect(refused).rejects.toMatchObject({ code: 'AUTH_INSUFFICIENT_PERMISSIONS' });
    expect(await sessions.restoreSession({ session_id, restore_point }, reader)).toMatchObject({ session_id });
  });

  test('the point lies between the creation and now, within what the history holds', async () => {
    const { sessions, ctx } = platform;
    const { session_id, created_at } = await open({});
    const at = (ms: number) => sessions.restoreSession({ session_id, restore_point: new Date(ms).toISOString() }, user);
    const refused = { code: 'VALIDATION_ERROR', details: { field: 'restore_point' } };
    await expect(at(Date.parse(created_at) - 1)).rejects.toMatchObject(refused);
    await expect(at(Date.now() + 60_000)).rejects.toMatchObject(refused);
    expect(await at(Date.parse(created_at))).toMatchObject({ settings_restored: false });
    await allTold(platform, session_id);
    await ctx.sessionHistory.deleteMany({ session_id });
    await expect(at(Date.parse(created_at))).rejects.toMatchObject(refused);
    expect(() => requireRestorePoint(undefined, new Date())).toThrow(
      expect.objectContaining({ code: 'VALIDATION_REQUIRED_FIELD' }),
    );
    expect(() => requireRestorePoint('yesterday', new Date())).toThrow(
      expect.objectContaining({ code: 'VALIDATION_INVALID_FORMAT' }),
    );
  });

  test('closed, expired and foreign sessions are not restored', async () => {
    const { sessions, ctx } = platform;
    const { session_id, created_at: restore_point } = await open({});
    const request = { session_id, restore_point };
    const foreign = sessions.restoreSession(request, someone());
    await expect(foreign).rejects.toMatchObject({ code: 'RESOURCE_NOT_FOUND', details: { session_id } });
    const over = (status: string) => ({ code: 'RESOURCE_NOT_FOUND', details: { session_id, status } });
    await ctx.sessions.updateOne({ _id: session_id }, { $set: { expires_at: new Date(Date.now() - 1) } });
    await expect(sessions.restoreSession(request, user)).rejects.toMatchObject(over('expired'));
    await ctx.sessions.updateOne({ _id: session_id }, { $set: { deleted_at: new Date() } });
    await expect(sessions.restoreSession(request, user)).rejects.toMatchObject(over('closed'));
  });
});
