import { newId } from '@claude-cli/shared/ids';
import { planOf, sortsByItself } from '@claude-cli/shared/testing/plan';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { maxWaiting } from '../outbox-room.ts';
import { someone, startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { allTold, leaveUntold } from '../testing/untold.ts';
import { dropOutdatedHistory } from './drop-outdated-history.ts';
import { recordEvent, trimHistory } from './history.ts';
import { lifetimeMs } from './session.ts';

describe('histories of sessions', () => {
  let platform: TestPlatform;
  const user = someone();

  beforeAll(async () => {
    platform = await startTestPlatform();
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  async function open(settings: Record<string, unknown> = {}) {
    const { session_id } = await platform.sessions.createSession({ settings }, user);
    return session_id;
  }

  test('creation, changes of settings, requests and messages are entries, oldest first', async () => {
    const { sessions } = platform;
    const session_id = await open({ theme: 'dark' });
    await sessions.updateSession({ session_id, settings: { theme: 'light' } }, user);
    const details = { task_id: newId() };
    await sessions.recordActivity(
      { session_id, action: 'request', request: 'POST /api/tasks/', status: 201, details },
      user,
    );
    await sessions.recordActivity({ session_id, action: 'message', request: 'subscribe' }, user);
    const { history, ...page } = await sessions.getSessionHistory({ session_id }, user);
    expect(page).toEqual({ session_id, total: 4, limit: 100, offset: 0 });
    expect(history.map(({ id: _, timestamp, ...entry }) => entry)).toEqual([
      { action: 'session_created', details: {} },
      { action: 'settings_changed', details: { before: { theme: 'dark' }, after: { theme: 'light' } } },
      { action: 'request', request: 'POST /api/tasks/', status: 201, request_id: user.requestId, details },
      { action: 'message', request: 'subscribe', request_id: user.requestId, details: {} },
    ]);
    const second = await sessions.getSessionHistory({ session_id, limit: 2, offset: 1 }, user);
    expect(second).toEqual({ session_id, history: history.slice(1, 3), total: 4, limit: 2, offset: 1 });
    expect((await sessions.getSessionHistory({ session_id, offset: 9 }, user)).history).toEqual([]);
  });

  test('settings that stay the same make no entry', async () => {
    const { sessions } = platform;
    const session_id = await open({ theme: 'dark' });
    await sessions.updateSession({ session_id, settings: { theme: 'dark' } }, user);
    expect((await sessions.getSessionHistory({ session_id }, user)).total).toBe(1);
  });

  test('a change that no process lived to tell is in the history, once', async () => {
    const { sessions, ctx } = platform;
    const session_id = await open({ a: 1 });
    await sessions.updateSession({ session_id, settings: { a: 2 } }, user);
    const { history } = await sessions.getSessionHistory({ session_id }, user);
    const event = await leaveUntold(platform, session_id);
    expect(await ctx.sessionHistory.countDocuments({ session_id })).toBe(1);
    expect((await sessions.getSessionHistory({ session_id }, user)).history).toEqual(history);
    await recordEvent(ctx.sessionHistory, event);
    expect((await sessions.getSessionHistory({ session_id }, user)).total).toBe(2);
  });

  test('an activity is an access, in an active session of the caller only', async () => {
    const { sessions, ctx } = platform;
    const session_id = await open();
    await ctx.sessions.updateOne({ _id: session_id }, { $set: { expires_at: new Date(Date.now() + 1_000) } });
    const activity = { session_id, action: 'request', request: 'GET /api/tasks/' };
    await sessions.recordActivity(activity, user);
    const { expires_at = '' } = await sessions.getSession({ session_id }, user);
    expect(Date.parse(expires_at)).toBeGreaterThan(Date.now() + lifetimeMs - 60_000);
    const notFound = { code: 'RESOURCE_NOT_FOUND' };
    await expect(sessions.recordActivity(activity, someone())).rejects.toMatchObject(notFound);
    await ctx.sessions.updateOne({ _id: session_id }, { $set: { expires_at: new Date(Date.now() - 1) } });
    const expired = { ...notFound, details: { session_id, status: 'expired' } };
    await expect(sessions.recordActivity(activity, user)).rejects.toMatchObject(expired);
    expect((await sessions.getSessionHistory({ session_id }, user)).total).toBe(2);
    await expect(sessions.getSessionHistory({ session_id }, someone())).rejects.toMatchObject(notFound);
  });

  test('many activities at once are all recorded, beside changes of the settings', async () => {
    const { sessions } = platform;
    const session_id = await open();
    const activity = { session_id, action: 'request', request: 'GET /api/tasks/' };
    await Promise.all([
      ...Array.from({ length: 30 }, () => sessions.recordActivity(activity, user)),
      sessions.updateSession({ session_id, settings: { a: 1 } }, user),
      sessions.updateSession({ session_id, settings: { b: 2 } }, user),
    ]);
    expect((await sessions.getSessionHistory({ session_id }, user)).total).toBe(33);
    expect((await sessions.getSession({ session_id }, user)).settings).toEqual({ a: 1, b: 2 });
  });

  test('an activity of another kind is refused, and a long one cut', async () => {
    const { sessions } = platform;
    const session_id = await open();
    const other = sessions.recordActivity({ session_id, action: 'settings_changed', request: '' }, user);
    await expect(other).rejects.toMatchObject({ code: 'VALIDATION_ERROR', details: { field: 'action' } });
    const details = { body: 'x'.repeat(100_000) };
    await sessions.recordActivity({ session_id, action: 'request', request: 'y'.repeat(5_000), details }, user);
    const { history } = await sessions.getSessionHistory({ session_id, offset: 1 }, user);
    expect(history).toMatchObject([{ request: 'y'.repeat(500), details: { truncated: true } }]);
  });

  test('the oldest entries make room for new ones', async () => {
    const { sessions, ctx } = platform;
    const session_id = await open();
    await allTold(platform, session_id);
    const [first] = (await sessions.getSessionHistory({ session_id }, user)).history;
    const time = (n: number) => new Date(Date.parse(first?.timestamp ?? '') + n);
    const entry = { session_id, action: 'request', request: 'GET /', status: 200, request_id: '', details: {} };
    await ctx.sessionHistory.insertMany(
      Array.from({ length: 10 }, (_, i) => ({ ...entry, _id: newId(), timestamp: time(i + 1) })),
    );
    await trimHistory(ctx.sessionHistory, session_id, 4);
    const kept = await sessions.getSessionHistory({ session_id }, user);
    expect(kept.history.map(({ timestamp }) => timestamp)).toEqual([7, 8, 9, 10].map((n) => time(n).toISOString()));
    await trimHistory(ctx.sessionHistory, session_id, 4);
    expect((await sessions.getSessionHistory({ session_id }, user)).total).toBe(4);
  });

  test('entries too large for one answer are read in parts', async () => {
    const { sessions, ctx } = platform;
    const session_id = await open();
    await sessions.getSessionHistory({ session_id }, user);
    const entry = { session_id, action: 'settings_changed', request: null, status: null, request_id: null };
    const details = { before: { text: 'x'.repeat(60_000) }, after: { text: 'y'.repeat(60_000) } };
    const timestamp = new Date(Date.now() + 1_000);
    await ctx.sessionHistory.insertMany(
      Array.from({ length: 60 }, () => ({ ...entry, _id: newId(), timestamp, details })),
    );
    const seen = new Set<string>();
    let offset = 0;
    for (let answers = 0; answers < 10 && offset < 61; answers++) {
      const page = await sessions.getSessionHistory({ session_id, limit: 1_000, offset }, user);
      expect(page.total).toBe(61);
      expect(Buffer.byteLength(JSON.stringify(page))).toBeLessThan(5 * 1024 * 1024);
      for (const { id } of page.history) seen.add(id);
      offset += page.limit;
    }
    expect(seen.size).toBe(61);
  });

  test('a session of which too much waits to be told refuses further changes for now', async () => {
    const { sessions, ctx } = platform;
    const session_id = await open();
    const waiting = Array.from({ length: maxWaiting }, () => ({ id: newId(), time: '9999-01-01T00:00:00.000Z' }));
    await ctx.sessions.updateOne({ _id: session_id }, { $set: { outbox: waiting } });
    const refused = { code: 'SERVICE_UNAVAILABLE', details: { waiting: maxWaiting } };
    await expect(sessions.updateSession({ session_id, settings: { a: 1 } }, user)).rejects.toMatchObject(refused);
  });

  test('every query is answered by an index', async () => {
    const { sessionHistory, sessions } = platform.ctx;
    const session_id = newId();
    const now = new Date();
    const plans = [
      sessionHistory.collection.find({ session_id }).sort({ timestamp: 1, _id: 1 }),
      sessionHistory.collection.find({ session_id }).sort({ timestamp: -1, _id: -1 }),
      sessionHistory.collection.find({ session_id, timestamp: { $lte: now } }),
      sessionHistory.collection
        .find({ session_id, timestamp: { $gt: now }, action: { $in: ['settings_changed', 'settings_restored'] } })
        .sort({ timestamp: 1, _id: 1 }),
      sessions.collection.find({ user_id: 'u' }).sort({ created_at: -1, _id: -1 }),
      sessions.collection.find({ user_id: 'u', project_id: 'p' }).sort({ created_at: -1, _id: -1 }),
      sessions.collection.find({ user_id: 'u', deleted_at: null, expires_at: { $gt: now } }),
    ].map(planOf);
    for (const [at, plan] of (await Promise.all(plans)).entries()) {
      expect({ at, plan }).toEqual({ at, plan: expect.stringContaining('IXSCAN') });
      expect({ at, plan }).not.toEqual({ at, plan: expect.stringContaining('COLLSCAN') });
      expect({ plan, sorts: sortsByItself(plan) }).toEqual({ plan, sorts: false });
    }
    const tooOld = await planOf(sessionHistory.collection.find({ timestamp: { $lt: now } }).sort({ timestamp: 1 }));
    expect([tooOld.includes('IXSCAN'), sortsByItself(tooOld)]).toEqual([true, false]);
  });

  test('entries go when they are too old', async () => {
    const { ctx } = platform;
    const { HISTORY_TTL_DAYS: days } = ctx.config;
    await dropOutdatedHistory(ctx, Date.now() + (days - 1) * 86_400_000);
    expect(await ctx.sessionHistory.countDocuments()).toBeGreaterThan(0);
    await dropOutdatedHistory(ctx, Date.now() + (days + 1) * 86_400_000);
    expect(await ctx.sessionHistory.countDocuments()).toBe(0);
  });
});
