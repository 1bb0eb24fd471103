import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { maxWaiting } from '../outbox-room.ts';
import { listenTo } from '../testing/events.ts';
import { bearerOf, createPerson, isLetIn, personsPassword, signIn } from '../testing/people.ts';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { maxRevokedTokens, revokingOne } from './revocation.ts';

describe('single revoked tokens', () => {
  const now = new Date('2026-01-01T00:00:00Z');
  const inSeconds = (seconds: number) => now.getTime() / 1000 + seconds;
  const revoked = (count: number) =>
    Array.from({ length: count }, (_, n) => ({ jti: `t${n}`, expires_at: new Date(now.getTime() + 1_000) }));
  const token = { kind: 'token', id: 't', expires_at: inSeconds(60) } as const;

  test('expired ones are forgotten when another one is added', () => {
    const old = { jti: 'old', expires_at: now };
    expect(revokingOne({ token_version: 3, revoked_tokens: [old, ...revoked(1)] }, token, now)).toEqual({
      token_version: 3,
      revoked_tokens: [...revoked(1), { jti: 't', expires_at: new Date(now.getTime() + 60_000) }],
    });
  });

  test('a full list, or a token that never expires, revokes all tokens instead', () => {
    const full = { token_version: 3, revoked_tokens: revoked(maxRevokedTokens) };
    const all = { token_version: 4, revoked_tokens: [] };
    expect(revokingOne(full, token, now)).toEqual(all);
    expect(revokingOne({ token_version: 3, revoked_tokens: [] }, { kind: 'token', id: 't' }, now)).toEqual(all);
    const almost = { token_version: 3, revoked_tokens: revoked(maxRevokedTokens - 1) };
    expect(revokingOne(almost, token, now).revoked_tokens).toHaveLength(maxRevokedTokens);
  });
});

describe('tokens', () => {
  let platform: TestPlatform;

  beforeAll(async () => {
    platform = await startTestPlatform();
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  async function twice(): Promise<{ user_id: string; username: string; one: Origin; other: Origin }> {
    const { id: user_id, username } = await createPerson(platform);
    return { user_id, username, one: await signIn(platform, username), other: await signIn(platform, username) };
  }

  test('signing out revokes the one token, keeps its id only until it expires, and is told', async () => {
    const { auth, ctx } = platform;
    await using told = await listenTo(platform, 'user.updated');
    const { user_id, one, other } = await twice();
    await auth.logout({}, one);
    expect([await isLetIn(platform, one), await isLetIn(platform, other)]).toEqual([false, true]);
    const stored = await ctx.users.findById(user_id).lean();
    const { id: jti, expires_at = 0 } = one.caller.credential ?? {};
    expect(stored?.revoked_tokens).toEqual([{ jti, expires_at: new Date(expires_at * 1000) }]);
    await until('the revocation to be told', () => told.events.length > 0);
    expect(told.events[0]?.data).toMatchObject({ user_id, token_version: 0 });
    await ctx.users.updateOne({ _id: user_id }, { $set: { 'revoked_tokens.0.expires_at': new Date(0) } });
    expect(await auth.checkUser({ user_id }, platform.visitor)).toMatchObject({ revoked_token_ids: [] });
  });

  test('signing out at the same time revokes every token', async () => {
    const { username } = await createPerson(platform);
    const origins = [];
    for (let n = 0; n < 4; n++) origins.push(await signIn(platform, username));
    await Promise.all(origins.map((origin) => platform.auth.logout({}, origin)));
    for (const origin of origins) expect(await isLetIn(platform, origin)).toBe(false);
  });

  test('signing out everywhere revokes all tokens', async () => {
    const { username, one, other } = await twice();
    await platform.auth.logout({ everywhere: true }, one);
    expect([await isLetIn(platform, one), await isLetIn(platform, other)]).toEqual([false, false]);
    expect(await isLetIn(platform, await signIn(platform, username))).toBe(true);
  });

  test('changing the password needs the present one, revokes all tokens and gives a new one', async () => {
    const { users, ctx } = platform;
    const { user_id, username, one, other } = await twice();
    const new_password = 'another password';
    const wrong = users.changePassword({ current_password: 'guessed', new_password }, one);
    await expect(wrong).rejects.toMatchObject({ httpStatus: 422, details: { field: 'current_password' } });
    expect(await isLetIn(platform, other)).toBe(true);
    const answer = await users.changePassword({ current_password: personsPassword, new_password }, one);
    expect(answer).toMatchObject({ token_type: 'bearer', expires_in: 3600 });
    expect([await isLetIn(platform, one), await isLetIn(platform, other)]).toEqual([false, false]);
    expect(await isLetIn(platform, bearerOf(platform, answer.access_token))).toBe(true);
    await expect(signIn(platform, username)).rejects.toMatchObject({ code: 'AUTH_TOKEN_INVALID' });
    expect(await isLetIn(platform, await signIn(platform, username, new_password))).toBe(true);
    expect(JSON.stringify(await ctx.users.findById(user_id).lean())).not.toContain(new_password);
  });

  test('two changes of the password at the same time: one wins, the other one finds the password changed', async () => {
    const { username, one, other } = await twice();
    const change = (origin: Origin, new_password: string) =>
      platform.users.changePassword({ current_password: personsPassword, new_password }, origin);
    const results = await Promise.allSettled([change(one, 'password one'), change(other, 'password two')]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const winner = results[0]?.status === 'fulfilled' ? 'password one' : 'password two';
    expect(await isLetIn(platform, await signIn(platform, username, winner))).toBe(true);
  });

  test('a token that was revoked buys neither a new token nor a key, though a gateway still lets it in', async () => {
    const { auth, users } = platform;
    const { one, other } = await twice();
    await auth.logout({}, one);
    const revoked = { code: 'AUTH_TOKEN_INVALID', message: 'The token was revoked' };
    await expect(auth.refreshToken({}, one)).rejects.toMatchObject(revoked);
    const renewed = bearerOf(platform, (await auth.refreshToken({}, other)).access_token);
    await auth.logout({ everywhere: true }, renewed);
    await expect(auth.refreshToken({}, other)).rejects.toMatchObject(revoked);
    await expect(users.createApiKey({ name: 'late', scopes: ['read'] }, other)).rejects.toMatchObject(revoked);
    const change = { current_password: personsPassword, new_password: 'another password' };
    await expect(users.changePassword(change, other)).rejects.toMatchObject(revoked);
  });

  test('while too many changes wait to be told, only admins add to them', async () => {
    const { ctx, auth, users, admin } = platform;
    const { user_id, username, one } = await twice();
    const waiting = Array.from({ length: maxWaiting }, () => ({ id: newId(), time: new Date().toISOString() }));
    await ctx.users.updateOne({ _id: user_id }, { $set: { outbox: waiting } } as object);
    await expect(auth.logout({}, one)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    expect(await users.updatePreferences({ theme: 'dark', notifications: {} }, one)).toMatchObject({
      preferences: { theme: 'dark' },
    });
    await users.updateUser({ user_id, status: 'disabled' }, admin);
    await expect(signIn(platform, username)).rejects.toMatchObject({ code: 'AUTH_ACCOUNT_DISABLED' });
  });

  test('an API key is not enough to sign out, to refresh or to change passwords', async () => {
    const { auth, users, admin } = platform;
    const { user_id, one } = await twice();
    const key: Origin = { ...one, caller: { ...one.caller, credential: { kind: 'api_key', id: newId() } } };
    const program: Origin = { ...key, caller: { ...admin.caller, credential: { kind: 'api_key', id: newId() } } };
    const denied = { code: 'AUTH_INSUFFICIENT_PERMISSIONS', httpStatus: 403 };
    await expect(auth.logout({}, key)).rejects.toMatchObject(denied);
    await expect(auth.refreshToken({}, key)).rejects.toMatchObject(denied);
    const change = { current_password: personsPassword, new_password: 'another password' };
    await expect(users.changePassword(change, key)).rejects.toMatchObject(denied);
    await expect(users.updateUser({ user_id, password: 'another password' }, program)).rejects.toMatchObject(denied);
    expect(await users.updateUser({ user_id, full_name: 'By a program' }, program)).toMatchObject({ id: user_id });
  });
});
