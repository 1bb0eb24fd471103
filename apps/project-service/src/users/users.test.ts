import { newId } from '@claude-cli/shared/ids';
import { createLogger } from '@claude-cli/shared/logger';
import { verifyToken } from '@claude-cli/shared/tokens';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { someone, startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { seedAdmin } from './seed-admin.ts';
import { keysOf } from './user.ts';

describe('accounts', () => {
  let platform: TestPlatform;
  const log = createLogger('test', 'silent');
  const password = () => platform.env.ADMIN_PASSWORD ?? '';

  beforeAll(async () => {
    platform = await startTestPlatform();
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  test('signing in gives a token that names the user, whatever the case of the name', async () => {
    const { auth, visitor, ctx } = platform;
    const answer = await auth.login({ username: 'ADMIN', password: password() }, visitor);
    expect(answer).toMatchObject({ token_type: 'bearer', expires_in: 3600, user: { username: 'admin' } });
    const claims = verifyToken(ctx.config.JWT_SECRET, answer.access_token);
    expect(claims).toMatchObject({ sub: answer.user?.id, role: 'admin' });
  });

  test('a wrong password and an unknown name are answered alike', async () => {
    const { auth, visitor } = platform;
    const wrong = await auth.login({ username: 'admin', password: 'wrong' }, visitor).catch((e) => e);
    const unknown = await auth.login({ username: 'nobody', password: 'wrong' }, visitor).catch((e) => e);
    expect(wrong).toMatchObject({ code: 'AUTH_TOKEN_INVALID', httpStatus: 401 });
    expect({ code: unknown.code, message: unknown.message }).toEqual({ code: wrong.code, message: wrong.message });
  });

  test('a disabled account neither signs in nor refreshes', async () => {
    const { auth, visitor, admin, ctx } = platform;
    await ctx.users.updateOne({ _id: admin.caller.user_id }, { $set: { disabled_at: new Date() } });
    const disabled = { code: 'AUTH_ACCOUNT_DISABLED' };
    await expect(auth.login({ username: 'admin', password: password() }, visitor)).rejects.toMatchObject(disabled);
    await expect(auth.refreshToken({}, admin)).rejects.toMatchObject(disabled);
    await ctx.users.updateOne({ _id: admin.caller.user_id }, { $set: { disabled_at: null } });
    expect(await auth.refreshToken({}, admin)).toMatchObject({ token_type: 'bearer' });
    await expect(auth.refreshToken({}, someone())).rejects.toMatchObject({ code: 'AUTH_TOKEN_INVALID' });
    await expect(auth.checkUser({ user_id: newId() }, visitor)).rejects.toMatchObject({ code: 'AUTH_TOKEN_INVALID' });
  });

  test('the profile shows role, permissions, preferences and statistics', async () => {
    const profile = await platform.users.getProfile({}, platform.admin);
    expect(profile).toMatchObject({
      username: 'admin',
      role: 'admin',
      permissions: ['read', 'write', 'execute', 'admin'],
      tier: 'standard',
      last_login: expect.any(String),
      preferences: { timezone: 'UTC', notifications: { email: true } },
      statistics: { tasks_created: 3, tasks_completed: 2, total_login_time: expect.stringMatching(/^\d+:\d\d:\d\d$/) },
    });
  });

  test('no password is stored that can be read', async () => {
    const stored = await platform.ctx.users.findOne({ username_key: 'admin' }).lean();
    expect(JSON.stringify(stored)).not.toContain(password());
    expect(stored?.password_hash).toMatch(/^\$argon2id\$/);
  });

  test('a new configured password lets the operator in, the same one leaves a changed password alone', async () => {
    const { ctx, auth, visitor } = platform;
    const before = await ctx.users.findOne({ username_key: 'admin' }).lean();
    await seedAdmin(ctx.users, 'admin', password(), log);
    expect(await ctx.users.findOne({ username_key: 'admin' }).lean()).toEqual(before);
    await seedAdmin(ctx.users, 'admin', 'another password', log);
    await expect(auth.login({ username: 'admin', password: password() }, visitor)).rejects.toMatchObject({
      code: 'AUTH_TOKEN_INVALID',
    });
    expect(await auth.login({ username: 'admin', password: 'another password' }, visitor)).toMatchObject({
      expires_in: 3600,
    });
  });

  test('replicas that start together make one first account', async () => {
    const { ctx } = platform;
    await Promise.all(Array.from({ length: 4 }, () => seedAdmin(ctx.users, 'Founder', 'a password', log)));
    expect(await ctx.users.countDocuments({ username_key: 'founder' })).toBe(1);
  });

  test('the operator gets back in to a disabled account, and is told of', async () => {
    const { ctx, auth, visitor } = platform;
    const of = { username_key: 'founder' };
    await ctx.users.updateOne(of, { $set: { disabled_at: new Date(), role: 'viewer' } });
    const before = await ctx.users.findOne(of).lean();
    await seedAdmin(ctx.users, 'Founder', 'a way back in', log);
    const after = await ctx.users.findOne(of).lean();
    expect(after).toMatchObject({ role: 'admin', disabled_at: null, token_version: (before?.token_version ?? 0) + 1 });
    expect(after?.outbox.at(-1)).toMatchObject({ type: 'user.updated', data: { status: 'active', role: 'admin' } });
    const { access_token } = await auth.login({ username: 'founder', password: 'a way back in' }, visitor);
    expect(verifyToken(ctx.config.JWT_SECRET, access_token).ver).toBe(after?.token_version);
  });

  test('the first account is made though its mail address is taken', async () => {
    const { ctx } = platform;
    await seedAdmin(ctx.users, 'opér ator', 'a password', log);
    await seedAdmin(ctx.users, 'op rator', 'a password', log);
    const stored = await ctx.users
      .find({ username_key: { $in: ['opér ator', 'op rator'] } })
      .sort({ _id: 1 })
      .lean();
    expect(stored.map(({ email }) => email)).toEqual(['oprator@localhost', `${stored[1]?._id}@localhost`]);
    for (const user of stored) expect(user).toMatchObject(keysOf(user));
  });
});
