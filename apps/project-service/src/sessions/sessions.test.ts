import { newId } from '@claude-cli/shared/ids';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { someone, startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { lifetimeMs } from './session.ts';

describe('sessions', () => {
  let platform: TestPlatform;
  const user = someone();

  beforeAll(async () => {
    platform = await startTestPlatform();
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  test('a session lasts two hours from its last access', async () => {
    const { sessions } = platform;
    const opened = await sessions.createSession({ settings: { theme: 'dark' } }, user);
    expect(opened).toMatchObject({ user_id: user.caller.user_id, status: 'active', settings: { theme: 'dark' } });
    const lasts = ({ last_accessed = '', expires_at = '' }) => Date.parse(expires_at) - Date.parse(last_accessed);
    expect(lasts(opened)).toBe(lifetimeMs);
    const { session_id } = opened;
    const touched = await sessions.touchSession({ session_id }, user);
    expect(Date.parse(touched.expires_at ?? '')).toBeGreaterThanOrEqual(Date.parse(opened.expires_at ?? ''));
    expect(lasts(touched)).toBe(lifetimeMs);
    const updated = await sessions.updateSession({ session_id, settings: { auto_save: true } }, user);
    expect(updated.settings).toEqual({ theme: 'dark', auto_save: true });
  });

  test('attempts of one request at the same time open one session', async () => {
    const origin = { ...user, creates: { id: newId(), again: true } };
    const attempts = Array.from({ length: 5 }, () => platform.sessions.createSession({}, origin));
    const opened = (await Promise.all(attempts)).map(({ session_id }) => session_id);
    expect(opened).toEqual(attempts.map(() => origin.creates.id));
  });

  test('a session of somebody else is not found', async () => {
    const { sessions } = platform;
    const { session_id } = await sessions.createSession({}, user);
    const notFound = { code: 'RESOURCE_NOT_FOUND' };
    for (const call of [sessions.getSession, sessions.touchSession, sessions.deleteSession]) {
      await expect(call({ session_id }, someone())).rejects.toMatchObject(notFound);
    }
    await expect(sessions.getSession({ session_id: newId() }, user)).rejects.toMatchObject(notFound);
  });

  test('an expired or closed session is shown as such and accepts nothing', async () => {
    const { sessions, ctx } = platform;
    const { session_id } = await sessions.createSession({}, user);
    await ctx.sessions.updateOne({ _id: session_id }, { $set: { expires_at: new Date(Date.now() - 1) } });
    expect(await sessions.getSession({ session_id }, user)).toMatchObject({ status: 'expired' });
    await expect(sessions.touchSession({ session_id }, user)).rejects.toMatchObject({ code: 'RESOURCE_NOT_FOUND' });
    const other = await sessions.createSession({}, user);
    await sessions.deleteSession({ session_id: other.session_id }, user);
    expect(await sessions.getSession({ session_id: other.session_id }, user)).toMatchObject({ status: 'closed' });
    const closed = await sessions.listSessions({ status: 'closed' }, user);
    expect(closed).toMatchObject({ total: 1, sessions: [{ session_id: other.session_id }] });
    expect((await sessions.listSessions({ status: 'expired' }, user)).total).toBe(1);
  });

  test('a session in a project names it, and needs access to it', async () => {
    const { sessions, projects } = platform;
    const { id: project_id } = await projects.createProject({ name: 'Shop' }, user);
    expect(await sessions.createSession({ project_id }, user)).toMatchObject({ project_id, project_name: 'Shop' });
    const denied = sessions.createSession({ project_id }, someone());
    await expect(denied).rejects.toMatchObject({ code: 'PROJECT_ACCESS_DENIED' });
    const missing = sessions.createSession({ project_id: newId() }, user);
    await expect(missing).rejects.toMatchObject({ code: 'PROJECT_NOT_FOUND' });
    expect((await sessions.listSessions({ project_id }, user)).total).toBe(1);
  });
});
