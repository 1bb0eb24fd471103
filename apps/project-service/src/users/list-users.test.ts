import type { ListUsersRequest } from '@claude-cli/proto/platform/v1/users';
import { planOf } from '@claude-cli/shared/testing/plan';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createPerson, signIn } from '../testing/people.ts';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { hashOfKey } from './api-key.ts';
import { filterOf } from './list-users.ts';

describe('lists of accounts', () => {
  let platform: TestPlatform;
  const people = [
    { username: 'Alan', email: 'turing@example.com', full_name: 'Alan Turing', role: 'viewer' },
    { username: 'ada', email: 'love@example.com', full_name: 'Ada Lovelace', tier: 'premium' },
    { username: 'grace', email: 'hop@navy.mil', full_name: 'Émile Ålund', role: 'viewer', tier: 'premium' },
  ] as const;

  beforeAll(async () => {
    platform = await startTestPlatform();
    for (const person of people) await createPerson(platform, person);
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  const list = async (request: ListUsersRequest) => {
    const { items, total } = await platform.users.listUsers(request, platform.admin);
    expect(total).toBeGreaterThanOrEqual(items.length);
    return items.map(({ username }) => username);
  };

  test('newest come first unless sorted otherwise, names sort whatever their case', async () => {
    expect(await list({})).toEqual(['grace', 'ada', 'Alan', 'admin']);
    expect(await list({ order: 'asc' })).toEqual(['admin', 'Alan', 'ada', 'grace']);
    expect(await list({ sort: 'username', order: 'asc' })).toEqual(['ada', 'admin', 'Alan', 'grace']);
    await signIn(platform, 'ada');
    expect((await list({ sort: 'last_login' })).slice(0, 2)).toEqual(['ada', 'admin']);
  });

  test('pages do not overlap and tell how many match', async () => {
    const pages = await Promise.all(
      [1, 2, 3].map((page) => platform.users.listUsers({ page, page_size: 2 }, platform.admin)),
    );
    expect(pages.map(({ items, total }) => [items.map(({ username }) => username), total])).toEqual([
      [['grace', 'ada'], 4],
      [['Alan', 'admin'], 4],
      [[], 4],
    ]);
  });

  test('filters narrow the list, together', async () => {
    expect(await list({ role: 'viewer' })).toEqual(['grace', 'Alan']);
    expect(await list({ tier: 'premium' })).toEqual(['grace', 'ada']);
    expect(await list({ role: 'viewer', tier: 'premium', status: 'active' })).toEqual(['grace']);
    const { id: user_id } = await createPerson(platform, { username: 'gone' });
    await platform.users.updateUser({ user_id, status: 'disabled' }, platform.admin);
    expect(await list({ status: 'disabled' })).toEqual(['gone']);
    expect(await list({ status: 'active' })).not.toContain('gone');
  });

  test('search finds the beginnings of usernames, full names and mail addresses, whatever their case', async () => {
    expect(await list({ search: 'A', sort: 'username', order: 'asc' })).toEqual(['ada', 'admin', 'Alan']);
    expect(await list({ search: 'alan t' })).toEqual(['Alan']);
    expect(await list({ search: 'TURING@' })).toEqual(['Alan']);
    expect(await list({ search: 'éMILE å' })).toEqual(['grace']);
    for (const search of ['lovelace', '.*', '^a', 'ada|grace', '\u{10ffff}']) {
      expect([search, await list({ search })]).toEqual([search, []]);
    }
  });

  test('every query of accounts is answered by an index', async () => {
    const { users } = platform.ctx;
    const filters = [
      {},
      { role: 'viewer' },
      { tier: 'premium' },
      { status: 'active' },
      { status: 'disabled' },
      { search: 'a' },
      { role: 'viewer', status: 'active', search: 'a' },
    ] as const;
    const sorts = [
      { created_at: -1, _id: -1 },
      { username_key: 1, _id: 1 },
      { last_login: -1, _id: -1 },
    ] as const;
    const queries = filters.flatMap((filter) =>
      sorts.map((sort) => [{ filter, sort }, users.find(filterOf(filter)).sort(sort)] as const),
    );
    const byKey = users.collection.find({ 'api_keys.hash': hashOfKey('x') });
    const others = users.collection.find({ _id: { $ne: 'u' } as never, role: 'admin', disabled_at: null });
    const old = users.collection.find({ search_keys: null as never });
    const left = users.collection.find({ 'outbox.time': { $lt: 'z' } });
    const named = Object.entries({ byKey, others, old, left });
    for (const [name, query] of [...queries, ...named]) {
      const plan = await planOf(query);
      expect({ name, plan }).toEqual({ name, plan: expect.stringContaining('IXSCAN') });
      expect({ name, plan }).toEqual({ name, plan: expect.not.stringContaining('COLLSCAN') });
    }
  });
});
