import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { LiveConnection } from '../scripts/live-connection.ts';
import { poll } from '../scripts/platform/poll.ts';
import { startTestPlatform, type TestPlatform } from './support/platform.ts';
import { createUser, outcomeOf, signIn } from './support/users.ts';

let running: TestPlatform;
beforeAll(async () => {
  running = await startTestPlatform();
});
afterAll(async () => running?.[Symbol.asyncDispose]());

const profile = (api: TestPlatform['admin']) => api.request('GET', '/api/users/profile');

describe('an account', () => {
  test('is created, found, changed and disabled by an admin, and by nobody else', async () => {
    const { admin } = running;
    const user = await createUser(running, 'developer', { full_name: 'John Doe', tier: 'premium' });
    expect(await admin.call('GET', `/api/users/${user.id}`)).toMatchObject({
      username: user.username,
      full_name: 'John Doe',
      role: 'developer',
      tier: 'premium',
      status: 'active',
    });
    const found = await admin.call<{ items: { id: string }[] }>('GET', `/api/users/?search=${user.username}`);
    expect(found.items.map(({ id }) => id)).toEqual([user.id]);
    const changed = await admin.call('PUT', `/api/users/${user.id}`, { role: 'viewer', full_name: 'Jane Doe' });
    expect(changed).toMatchObject({ role: 'viewer', full_name: 'Jane Doe' });
    for (const [method, path, body] of [
      ['GET', '/api/users/', undefined],
      ['GET', `/api/users/${user.id}`, undefined],
      ['PUT', `/api/users/${user.id}`, { role: 'admin' }],
      ['POST', '/api/users/', { username: 'x', email: 'x@example.com', password: 'long enough' }],
    ] as const) {
      expect(outcomeOf(await user.api.request(method, path, body))).toEqual([403, 'AUTH_INSUFFICIENT_PERMISSIONS']);
    }
    const twice = { username: user.username.toUpperCase(), email: 'other@example.com', password: 'long enough' };
    expect(outcomeOf(await admin.request('POST', '/api/users/', twice))).toEqual([409, 'RESOURCE_ALREADY_EXISTS']);
  });

  test('that is disabled is locked out within seconds, and let in again when it is enabled', async () => {
    const { admin, visitor } = running;
    const { id, username, password, api } = await createUser(running);
    expect((await profile(api)).status).toBe(200);
    await admin.call('PUT', `/api/users/${id}`, { status: 'disabled' });
    const disabled = await poll(
      async () => {
        const outcome = outcomeOf(await profile(api));
        return outcome[0] === 200 ? undefined : outcome;
      },
      { timeoutMs: 60_000 },
    );
    expect(disabled).toEqual([403, 'AUTH_ACCOUNT_DISABLED']);
    const login = await visitor.request('POST', '/api/auth/login', { username, password });
    expect(outcomeOf(login)).toEqual([403, 'AUTH_ACCOUNT_DISABLED']);
    await admin.call('PUT', `/api/users/${id}`, { status: 'active' });
    expect((await profile(await signIn(visitor, username, password))).status).toBe(200);
  });

  test('has a profile with statistics and preferences that are merged', async () => {
    const { api, id, username } = await createUser(running);
    const before = await api.call<{ preferences: object; statistics: object }>('GET', '/api/users/profile');
    expect(before).toEqual({
      id,
      username,
      email: `${username}@example.com`,
      full_name: username,
      avatar_url: null,
      role: 'developer',
      permissions: ['read', 'write', 'execute'],
      created_at: expect.any(String),
      last_login: expect.any(String),
      preferences: expect.objectContaining({ theme: expect.any(String), timezone: 'UTC' }),
      statistics: { tasks_created: 0, tasks_completed: 0, projects_created: 0, total_login_time: '00:00:00' },
      tier: 'standard',
    });
    const answer = await api.call('PUT', '/api/users/preferences', {
      theme: 'dark',
      timezone: 'America/New_York',
      notifications: { push: true, project_updates: false },
      dashboard_layout: { widgets: ['tasks', 'projects', 'performance'], columns: 3 },
    });
    expect(answer).toMatchObject({
      preferences: {
        theme: 'dark',
        language: 'en',
        timezone: 'America/New_York',
        notifications: { email: true, push: true, task_updates: true, project_updates: false },
        dashboard_layout: { widgets: ['tasks', 'projects', 'performance'], columns: 3 },
      },
      updated_at: expect.any(String),
    });
    for (const [field, value] of [
      ['timezone', 'Mars/Olympus'],
      ['timezone', '+02:00'],
      ['language', 'not a language'],
    ] as const) {
      const refused = await api.request('PUT', '/api/users/preferences', { [field]: value });
      expect([refused.status, refused.body.error?.details.field]).toEqual([422, field]);
    }
  });
});

describe('tokens', () => {
  test('are signed out one by one, or all at once', async () => {
    const { visitor } = running;
    const { username, password, api: one } = await createUser(running);
    const two = await signIn(visitor, username, password);
    expect((await one.request('POST', '/api/auth/logout', {})).status).toBe(200);
    expect(outcomeOf(await profile(one))).toEqual([401, 'AUTH_TOKEN_INVALID']);
    expect((await profile(two)).status).toBe(200);
    const three = await signIn(visitor, username, password);
    await two.call('POST', '/api/auth/logout', { everywhere: true });
    expect(outcomeOf(await profile(three))).toEqual([401, 'AUTH_TOKEN_INVALID']);
  });

  test('are refreshed', async () => {
    const { visitor } = running;
    const { api } = await createUser(running);
    const fresh = await api.call<{ access_token: string }>('POST', '/api/auth/refresh');
    expect(fresh).toMatchObject({ token_type: 'bearer', expires_in: 3600 });
    expect((await profile(visitor.as(fresh.access_token))).status).toBe(200);
  });

  test('end with the password that they were given for', async () => {
    const { visitor } = running;
    const { username, password, api } = await createUser(running);
    const wrong = await api.request('PUT', '/api/users/password', {
      current_password: 'not it',
      new_password: 'a new password',
    });
    expect([wrong.status, wrong.body.error?.details.field]).toEqual([422, 'current_password']);
    const { access_token } = await api.call<{ access_token: string }>('PUT', '/api/users/password', {
      current_password: password,
      new_password: 'a new password',
    });
    expect(outcomeOf(await profile(api))).toEqual([401, 'AUTH_TOKEN_INVALID']);
    expect((await profile(visitor.as(access_token))).status).toBe(200);
    expect((await profile(await signIn(visitor, username, 'a new password'))).status).toBe(200);
  });
});

describe('an API key', () => {
  interface Key {
    id: string;
    key: string;
  }

  test('is shown once, works within its scopes, and stops working when it is deleted', async () => {
    const { visitor } = running;
    const { api, id } = await createUser(running);
    const { key, ...created } = await api.call<Key>('POST', '/api/users/api-keys', { name: 'build', scopes: ['read'] });
    const program = visitor.as(key);
    expect((await profile(program)).body.data).toMatchObject({ id });
    expect((await program.request('GET', '/api/tasks/')).status).toBe(200);
    const write = await program.request('POST', '/api/projects/', { name: 'Mine' });
    expect(outcomeOf(write)).toEqual([403, 'AUTH_INSUFFICIENT_PERMISSIONS']);
    const listed = await api.call<{ api_keys: object[] }>('GET', '/api/users/api-keys');
    expect(listed.api_keys).toMatchObject([{ id: created.id, name: 'build', scopes: ['read'] }]);
    expect(JSON.stringify(listed)).not.toContain(key);
    const another = await program.request('POST', '/api/users/api-keys', { name: 'more', scopes: ['read'] });
    expect(outcomeOf(another)).toEqual([403, 'AUTH_INSUFFICIENT_PERMISSIONS']);
    await api.call('DELETE', `/api/users/api-keys/${created.id}`);
    expect(outcomeOf(await profile(program))).toEqual([401, 'AUTH_TOKEN_INVALID']);
  });

  test('cannot permit what the account may not, and expires', async () => {
    const { visitor } = running;
    const { api } = await createUser(running, 'viewer');
    const beyond = await api.request('POST', '/api/users/api-keys', { name: 'x', scopes: ['admin'] });
    expect(beyond.status).toBeGreaterThanOrEqual(400);
    const expires_at = new Date(Date.now() + 4_000).toISOString();
    const { key } = await api.call<Key>('POST', '/api/users/api-keys', { name: 'short', scopes: ['read'], expires_at });
    expect((await profile(visitor.as(key))).status).toBe(200);
    const refused = await poll(
      async () => {
        const outcome = outcomeOf(await profile(visitor.as(key)));
        return outcome[0] === 200 ? undefined : outcome;
      },
      { timeoutMs: 60_000, intervalMs: 200 },
    );
    expect(refused).toEqual([401, 'AUTH_TOKEN_INVALID']);
  });

  test('opens a live connection', async () => {
    const { platform } = running;
    const { api } = await createUser(running);
    const { key } = await api.call<Key>('POST', '/api/users/api-keys', { name: 'watch', scopes: ['read'] });
    const { session_id } = await api.call<{ session_id: string }>('POST', '/api/sessions/', {});
    using live = await LiveConnection.open(platform.url, session_id);
    await live.authenticate(key);
  });
});
