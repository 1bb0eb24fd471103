import { newId } from '@claude-cli/shared/ids';
import { startService } from '@claude-cli/shared/service/service';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { hash } from '@node-rs/argon2';
import { projectService } from '../service.ts';
import { isLetIn, personsPassword, signIn } from '../testing/people.ts';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';

describe('accounts that an earlier version stored', () => {
  let platform: TestPlatform;
  const ids = [newId(), newId()];

  beforeAll(async () => {
    platform = await startTestPlatform();
    const password_hash = await hash(personsPassword);
    const old = ['Old One', 'Oldone'].map((username, n) => ({
      _id: ids[n] as never,
      username,
      username_key: username.toLowerCase(),
      email: 'oldone@localhost',
      full_name: username,
      avatar_url: null,
      role: 'admin',
      password_hash,
      seed_hash: null,
      disabled_at: null,
      created_at: new Date('2025-01-01T00:00:00Z'),
      last_login: null,
      preferences: { theme: 'dark' },
    }));
    await platform.ctx.users.collection.insertMany(old);
    // Another replica, of this version, starts on that data.
    await using _replica = await startService(projectService, { ...platform.env, TASK_SERVICE_ADDRESS: '127.0.0.1:1' });
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  test('have what they lacked, keep what they had, and can be changed', async () => {
    const { users, admin, ctx } = platform;
    expect(await users.getUser({ user_id: ids[0] ?? '' }, admin)).toMatchObject({
      username: 'Old One',
      email: 'oldone@localhost',
      role: 'admin',
      tier: 'standard',
      status: 'active',
      created_at: '2025-01-01T00:00:00.000Z',
      updated_at: '2025-01-01T00:00:00.000Z',
    });
    const { items } = await users.listUsers({ search: 'old', tier: 'standard' }, admin);
    expect(items.map(({ id }) => id).sort()).toEqual([...ids].sort());
    const user_id = ids[1] ?? '';
    expect(await users.updateUser({ user_id, full_name: 'New' }, admin)).toMatchObject({ full_name: 'New' });
    expect(await ctx.users.findById(user_id).lean()).toMatchObject({ version: 2, preferences: { theme: 'dark' } });
  });

  test('sign in as before, and mail addresses that were given twice are told apart', async () => {
    const origin = await signIn(platform, 'old one');
    expect(origin.caller.credential).toMatchObject({ token_version: 0 });
    expect(await isLetIn(platform, origin)).toBe(true);
    const stored = await platform.ctx.users
      .find({ _id: { $in: ids } })
      .sort({ _id: 1 })
      .lean();
    expect(stored.map(({ email }) => email).sort()).toEqual(['oldone@localhost', `${stored[1]?._id}@localhost`].sort());
  });
});
