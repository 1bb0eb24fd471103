import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { listenTo } from '../testing/events.ts';
import { createPerson, isLetIn, personsPassword, signIn } from '../testing/people.ts';
import { signedIn, startTestPlatform, type TestPlatform } from '../testing/platform.ts';

describe('accounts that admins manage', () => {
  let platform: TestPlatform;

  beforeAll(async () => {
    platform = await startTestPlatform();
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  test('an account is created with defaults, told, read back and signed in to', async () => {
    const { users, admin, ctx } = platform;
    await using told = await listenTo(platform, 'user.created');
    const given = { username: 'JohnDoe', email: 'John@Example.com', password: personsPassword };
    const session_id = newId();
    const created = await users.createUser(given, { ...admin, caller: { ...admin.caller, session_id } });
    const shown = {
      username: 'JohnDoe',
      email: 'John@Example.com',
      full_name: 'JohnDoe',
      role: 'developer',
      tier: 'standard',
      status: 'active',
      avatar_url: undefined,
      last_login: undefined,
    };
    expect(created).toMatchObject(shown);
    expect(created.updated_at).toBe(created.created_at);
    expect(await users.getUser({ user_id: created.id }, admin)).toEqual(created);
    expect((await signIn(platform, 'johndoe')).caller.user_id).toBe(created.id);
    const [event] = await until('the account to be told', () => told.events.length > 0 && told.events);
    expect(event).toMatchObject({
      type: 'user.created',
      actor: admin.caller.user_id,
      session_id,
      project_id: null,
      version: 1,
      data: { user_id: created.id, username: 'JohnDoe', role: 'developer', status: 'active', token_version: 0 },
    });
    const stored = await ctx.users.findById(created.id).lean();
    expect(JSON.stringify(stored)).not.toContain(personsPassword);
    expect(stored?.password_hash).toMatch(/^\$argon2id\$/);
  });

  test('a name and a mail address belong to one account, whatever their case, in a race too', async () => {
    const { ctx } = platform;
    await createPerson(platform, { username: 'Taken', email: 'taken@example.com' });
    const taken = (field: string) => ({ code: 'RESOURCE_ALREADY_EXISTS', httpStatus: 409, details: { field } });
    const sameName = createPerson(platform, { username: 'tAKEN', email: 'other@example.com' });
    await expect(sameName).rejects.toMatchObject(taken('username'));
    await expect(createPerson(platform, { email: 'TAKEN@example.com' })).rejects.toMatchObject(taken('email'));
    const other = await createPerson(platform);
    const update = platform.users.updateUser({ user_id: other.id, email: 'Taken@Example.com' }, platform.admin);
    await expect(update).rejects.toMatchObject(taken('email'));
    const racing = Array.from({ length: 5 }, (_, n) =>
      createPerson(platform, { username: 'racer', email: `r${n}@x.io` }),
    );
    const results = await Promise.allSettled(racing);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await ctx.users.countDocuments({ username_key: 'racer' })).toBe(1);
  });

  test('an update changes what is given, counts as one version and is told; the same again is no change', async () => {
    const { users, admin, ctx } = platform;
    await using told = await listenTo(platform, 'user.updated');
    const { id: user_id, username } = await createPerson(platform);
    const change = { user_id, email: 'New@mail.io', full_name: 'Zoë Łuk', role: 'viewer', tier: 'premium' } as const;
    const { user_id: id, ...changed } = change;
    expect(await users.updateUser(change, admin)).toMatchObject({ id, username, ...changed, status: 'active' });
    await users.updateUser(change, admin);
    const stored = await ctx.users.findById(user_id).lean();
    expect(stored).toMatchObject({ version: 2, token_version: 0, email_key: 'new@mail.io' });
    expect(stored?.search_keys).toEqual([username, 'zoë łuk', 'new@mail.io']);
    await until('the change to be told and forgotten', async () => {
      return told.events.length > 0 && (await ctx.users.findById(user_id).lean())?.outbox.length === 0;
    });
    expect(told.events).toMatchObject([{ version: 2, data: { user_id, role: 'viewer', status: 'active' } }]);
    const missing = users.updateUser({ user_id: newId(), full_name: 'x' }, admin);
    await expect(missing).rejects.toMatchObject({ code: 'RESOURCE_NOT_FOUND' });
    await expect(users.getUser({ user_id: newId() }, admin)).rejects.toMatchObject({ code: 'RESOURCE_NOT_FOUND' });
  });

  test('changes at the same time are all kept', async () => {
    const { users, admin, ctx } = platform;
    const { id: user_id } = await createPerson(platform);
    const avatar_url = 'https://example.com/a.png';
    const changes = [{ full_name: 'Ada' }, { tier: 'premium' as const }, { role: 'viewer' as const }, { avatar_url }];
    await Promise.all(changes.map((change) => users.updateUser({ user_id, ...change }, admin)));
    expect(await users.getUser({ user_id }, admin)).toMatchObject(Object.assign({}, ...changes));
    expect(await ctx.users.findById(user_id).lean()).toMatchObject({ version: 5 });
  });

  test('disabling and a new password revoke the tokens; enabling does not bring them back', async () => {
    const { users, admin, auth, visitor } = platform;
    const { id: user_id, username } = await createPerson(platform);
    const before = await signIn(platform, username);
    expect(await isLetIn(platform, before)).toBe(true);
    expect(await users.updateUser({ user_id, status: 'disabled' }, admin)).toMatchObject({ status: 'disabled' });
    expect(await isLetIn(platform, before)).toBe(false);
    const disabled = { code: 'AUTH_ACCOUNT_DISABLED', httpStatus: 403 };
    await expect(signIn(platform, username)).rejects.toMatchObject(disabled);
    await expect(auth.login({ username, password: 'wrong' }, visitor)).rejects.toMatchObject({
      code: 'AUTH_TOKEN_INVALID',
    });
    expect(await users.updateUser({ user_id, status: 'active' }, admin)).toMatchObject({ status: 'active' });
    expect(await isLetIn(platform, before)).toBe(false);
    const again = await signIn(platform, username);
    expect(await isLetIn(platform, again)).toBe(true);
    await users.updateUser({ user_id, password: 'another password' }, admin);
    expect(await isLetIn(platform, again)).toBe(false);
    await expect(signIn(platform, username)).rejects.toMatchObject({ code: 'AUTH_TOKEN_INVALID' });
    expect(await isLetIn(platform, await signIn(platform, username, 'another password'))).toBe(true);
  });

  test('the last active admin is neither disabled nor given another role', async () => {
    const { users, admin } = platform;
    const conflict = { code: 'RESOURCE_CONFLICT', httpStatus: 409 };
    const user_id = admin.caller.user_id;
    const second = await createPerson(platform, { role: 'admin' });
    await users.updateUser({ user_id: second.id, status: 'disabled' }, admin);
    for (const change of [{ status: 'disabled' as const }, { role: 'viewer' as const }]) {
      await expect(users.updateUser({ user_id, ...change }, admin)).rejects.toMatchObject(conflict);
    }
    expect(await users.updateUser({ user_id, full_name: 'Root' }, admin)).toMatchObject({
      role: 'admin',
      status: 'active',
    });
    await users.updateUser({ user_id: second.id, status: 'active' }, admin);
    expect(await users.updateUser({ user_id, role: 'developer' }, admin)).toMatchObject({ role: 'developer' });
    await users.updateUser({ user_id, role: 'admin' }, signedIn(second.id, 'admin'));
    await users.updateUser({ user_id: second.id, role: 'developer' }, admin);
  });

  test('admins that demote each other at the same time leave one', async () => {
    const { users, admin, ctx } = platform;
    const active = { role: 'admin', disabled_at: null } as const;
    for (let round = 0; round < 8; round++) {
      const made = await Promise.all(Array.from({ length: 2 }, () => createPerson(platform, { role: 'admin' })));
      const all = [admin.caller.user_id, ...made.map(({ id }) => id)];
      const ways = [{ role: 'viewer' as const }, { status: 'disabled' as const }];
      const racing = all.map((user_id, n) => users.updateUser({ user_id, ...ways[n % 2] }, admin));
      const results = await Promise.allSettled(racing);
      const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []));
      expect(new Set(refused)).toEqual(new Set(['RESOURCE_CONFLICT']));
      expect(await ctx.users.countDocuments(active)).toBe(refused.length);
      await ctx.users.updateOne({ _id: admin.caller.user_id }, { $set: active, $inc: { version: 1 } });
      await ctx.users.updateMany({ _id: { $in: made.map(({ id }) => id) } }, { $set: { role: 'viewer' } });
    }
  });
});
