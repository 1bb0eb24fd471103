import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createPerson, signIn } from '../testing/people.ts';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { maxApiKeys } from './api-key.ts';

describe('API keys', () => {
  let platform: TestPlatform;
  const unknown = { code: 'AUTH_TOKEN_INVALID', httpStatus: 401 };

  beforeAll(async () => {
    platform = await startTestPlatform();
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  async function person(role: 'developer' | 'viewer' = 'developer'): Promise<Origin> {
    const { username } = await createPerson(platform, { role });
    return signIn(platform, username);
  }
  const check = (key: string) => platform.auth.checkApiKey({ key }, platform.visitor);

  test('a key is shown once, stored as a hash, and tells whose it is and what it permits', async () => {
    const { users, ctx } = platform;
    const owner = await person();
    const { user_id } = owner.caller;
    const expires_at = new Date(Date.now() + 60_000).toISOString();
    const created = await users.createApiKey(
      { name: 'nightly', scopes: ['read', 'execute', 'read'], expires_at },
      owner,
    );
    const { key, ...shown } = created;
    expect(key).toMatch(/^ccp_[\w-]{43}$/);
    expect(shown).toMatchObject({ name: 'nightly', scopes: ['read', 'execute'], prefix: key.slice(0, 12), expires_at });
    const listed = await users.listApiKeys({}, owner);
    expect(listed).toEqual({ total: 1, api_keys: [{ ...shown, last_used_at: undefined }] });
    expect(JSON.stringify([await ctx.users.findById(user_id).lean(), listed])).not.toContain(key);
    expect(await check(key)).toMatchObject({
      key_id: created.id,
      user_id,
      scopes: ['read', 'execute'],
      expires_at,
      account: { role: 'developer', tier: 'standard', disabled: false, token_version: 0 },
    });
    await expect(check(`${key.slice(0, -1)}~`)).rejects.toMatchObject(unknown);
    await expect(check('')).rejects.toMatchObject(unknown);
  });

  test('its last use is noted at most once a minute', async () => {
    const { users, ctx } = platform;
    const owner = await person();
    const { key, id } = await users.createApiKey({ name: 'used', scopes: ['read'] }, owner);
    const lastUse = async () => (await users.listApiKeys({}, owner)).api_keys[0]?.last_used_at;
    expect(await lastUse()).toBeUndefined();
    await Promise.all(Array.from({ length: 5 }, () => check(key)));
    const first = await until('the use to be noted', lastUse);
    await check(key);
    expect(await lastUse()).toBe(first);
    const hourAgo = new Date(Date.now() - 3_600_000);
    const stored = { _id: owner.caller.user_id, 'api_keys.id': id };
    await ctx.users.updateOne(stored, { $set: { 'api_keys.$.last_used_at': hourAgo } });
    await check(key);
    const next = await until('the next use to be noted', async () => {
      const noted = await lastUse();
      return noted !== hourAgo.toISOString() && noted;
    });
    expect(Date.parse(next)).toBeGreaterThanOrEqual(Date.parse(first ?? ''));
    expect(await ctx.users.findById(owner.caller.user_id).lean()).toMatchObject({ version: 2 });
  });

  test('a deleted key stops working, the others go on; what is not there cannot be deleted', async () => {
    const { users } = platform;
    const owner = await person();
    const [one, other] = [
      await users.createApiKey({ name: 'one', scopes: ['read'] }, owner),
      await users.createApiKey({ name: 'other', scopes: ['write'] }, owner),
    ];
    expect((await users.listApiKeys({}, owner)).api_keys.map(({ name }) => name)).toEqual(['other', 'one']);
    const deleted = await users.deleteApiKey({ key_id: one.id }, owner);
    expect(deleted).toMatchObject({ message: expect.any(String), deleted_at: expect.any(String) });
    await expect(check(one.key)).rejects.toMatchObject(unknown);
    expect(await check(other.key)).toMatchObject({ key_id: other.id });
    const missing = { code: 'RESOURCE_NOT_FOUND', details: { key_id: one.id } };
    await expect(users.deleteApiKey({ key_id: one.id }, owner)).rejects.toMatchObject(missing);
    const foreign = users.deleteApiKey({ key_id: other.id }, await person());
    await expect(foreign).rejects.toMatchObject({ code: 'RESOURCE_NOT_FOUND' });
  });

  test('an expired key is refused, and none is made that has expired already', async () => {
    const { users, ctx } = platform;
    const owner = await person();
    const expires_at = new Date(Date.now() - 1).toISOString();
    const late = users.createApiKey({ name: 'late', scopes: ['read'], expires_at }, owner);
    await expect(late).rejects.toMatchObject({ httpStatus: 422, details: { field: 'expires_at' } });
    const ahead = new Date(Date.now() + 60_000).toISOString();
    const { key } = await users.createApiKey({ name: 'soon', scopes: ['read'], expires_at: ahead }, owner);
    const expired = { 'api_keys.0.expires_at': new Date(Date.now() - 1) };
    await ctx.users.updateOne({ _id: owner.caller.user_id }, { $set: expired as object });
    await expect(check(key)).rejects.toMatchObject(unknown);
  });

  test('scopes are among the permissions of the caller', async () => {
    const viewer = await person('viewer');
    const beyond = platform.users.createApiKey({ name: 'big', scopes: ['read', 'write', 'admin'] }, viewer);
    const denied = { code: 'AUTH_INSUFFICIENT_PERMISSIONS', details: { required: ['write', 'admin'] } };
    await expect(beyond).rejects.toMatchObject(denied);
    expect(await platform.users.createApiKey({ name: 'fit', scopes: ['read'] }, viewer)).toMatchObject({ name: 'fit' });
  });

  test('a key cannot make or delete keys', async () => {
    const owner = await person();
    const { id: key_id } = await platform.users.createApiKey({ name: 'first', scopes: ['read'] }, owner);
    const program: Origin = { ...owner, caller: { ...owner.caller, credential: { kind: 'api_key', id: key_id } } };
    const denied = { code: 'AUTH_INSUFFICIENT_PERMISSIONS' };
    const second = platform.users.createApiKey({ name: 'second', scopes: ['read'] }, program);
    await expect(second).rejects.toMatchObject(denied);
    await expect(platform.users.deleteApiKey({ key_id }, program)).rejects.toMatchObject(denied);
    expect(await platform.users.listApiKeys({}, program)).toMatchObject({ total: 1 });
  });

  test('a user has a bounded number of keys, under a race too', async () => {
    const { users, ctx } = platform;
    const owner = await person();
    const { key } = await users.createApiKey({ name: 'first', scopes: ['read'] }, owner);
    const _id = owner.caller.user_id;
    const [stored] = (await ctx.users.findById(_id).lean())?.api_keys ?? [];
    const others = Array.from({ length: maxApiKeys - 3 }, () => ({ ...stored, id: newId(), hash: newId() }));
    await ctx.users.updateOne({ _id }, { $push: { api_keys: { $each: others } }, $inc: { version: 1 } } as object);
    const racing = Array.from({ length: 4 }, () => users.createApiKey({ name: 'more', scopes: ['read'] }, owner));
    const results = await Promise.allSettled(racing);
    const codes = results.map((result) => (result.status === 'rejected' ? result.reason.code : 'made'));
    expect(codes.sort()).toEqual(['RESOURCE_LIMIT_EXCEEDED', 'RESOURCE_LIMIT_EXCEEDED', 'made', 'made']);
    expect((await users.listApiKeys({}, owner)).total).toBe(maxApiKeys);
    expect(await check(key)).toMatchObject({ user_id: _id });
  });

  test('keys of a disabled account tell so; signing out everywhere leaves keys alone', async () => {
    const { users, auth, admin } = platform;
    const owner = await person();
    const { user_id } = owner.caller;
    const { key } = await users.createApiKey({ name: 'robot', scopes: ['read'] }, owner);
    await auth.logout({ everywhere: true }, owner);
    expect(await check(key)).toMatchObject({ account: { disabled: false } });
    await users.updateUser({ user_id, status: 'disabled' }, admin);
    expect(await check(key)).toMatchObject({ account: { disabled: true } });
  });
});
