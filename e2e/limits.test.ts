import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { poll } from '../scripts/platform/poll.ts';
import { startTestPlatform, type TestPlatform } from './support/platform.ts';
import { createUser, outcomeOf } from './support/users.ts';

let running: TestPlatform;
beforeAll(async () => {
  running = await startTestPlatform({ RATE_LIMIT_USER: '30', RATE_LIMIT_LOGIN: '3', RATE_LIMIT_PREMIUM: '500' });
});
afterAll(async () => running?.[Symbol.asyncDispose]());

test('a user who asks too often is told so in the words of the reference, and others are not', async () => {
  const { api } = await createUser(running);
  const { api: other } = await createUser(running, 'developer', { tier: 'premium' });
  const answers = await Promise.all(Array.from({ length: 35 }, () => api.request('GET', '/api/tasks/')));
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused).toHaveLength(5);
  expect(refused[0]?.body).toMatchObject({
    data: null,
    error: {
      code: 'RATE_LIMIT_EXCEEDED',
      message: 'Too many requests. Please try again later.',
      details: { limit: 30, window: 60, reset_at: expect.stringMatching(/Z$/) },
    },
  });
  const { status, headers } = await other.request('GET', '/api/tasks/');
  expect([status, headers.get('x-ratelimit-limit'), headers.get('x-ratelimit-window')]).toEqual([200, '500', '60']);
});

test('passwords cannot be guessed quickly', async () => {
  const { username } = await createUser(running);
  const guess = () => running.visitor.request('POST', '/api/auth/login', { username, password: 'a guess' });
  const outcomes = [];
  for (let n = 0; n < 5; n++) outcomes.push((await guess()).status);
  expect(outcomes).toEqual([401, 401, 401, 429, 429]);
});

describe('an Idempotency-Key', () => {
  const key = () => ({ 'idempotency-key': crypto.randomUUID() });

  test('lets a request that is repeated, even at the same time, be done once', async () => {
    const { api } = await createUser(running, 'developer', { tier: 'premium' });
    const headers = key();
    const body = { name: 'Once' };
    const create = () => api.request('POST', '/api/projects/', body, headers);
    const answers = await Promise.all(Array.from({ length: 10 }, create));
    const done = answers.filter(({ status }) => status === 201);
    expect(done.length).toBeGreaterThanOrEqual(1);
    for (const answer of answers)
      if (answer.status !== 201) expect(outcomeOf(answer)).toEqual([409, 'IDEMPOTENCY_KEY_IN_USE']);
    const again = await create();
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([201, 'true']);
    expect(again.body.data).toEqual(done[0]?.body.data);
    expect(await api.call('GET', '/api/projects/')).toMatchObject({ total: 1 });
    const other = await api.request('POST', '/api/projects/', { name: 'Another' }, headers);
    expect(outcomeOf(other)).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
  });

  test('survives a restart of everything that remembers it', async () => {
    const { api } = await createUser(running, 'developer', { tier: 'premium' });
    const headers = key();
    const create = () => api.request('POST', '/api/projects/', { name: 'Once' }, headers);
    const first = await create();
    for (const service of ['gateway', 'project-service'] as const) {
      running.platform.kill(service);
      await running.platform.ready(service);
    }
    // The gateway finds what was away within a second.
    const again = await poll(
      async () => {
        const answer = await create();
        return answer.status < 500 ? answer : undefined;
      },
      { timeoutMs: 60_000 },
    );
    expect(again?.body).toEqual(first.body);
  });

  test('of one user means nothing to another', async () => {
    const [one, two] = [await createUser(running), await createUser(running)];
    const headers = key();
    const answers = [];
    for (const { api } of [one, two])
      answers.push(await api.request('POST', '/api/projects/', { name: 'Ours' }, headers));
    expect(answers.map(({ status }) => status)).toEqual([201, 201]);
  });
});

describe('a maintenance', () => {
  test('stops writes on the spot, lets reads and signing in go on, and ends', async () => {
    const { admin } = running;
    const developer = await createUser(running, 'developer', { tier: 'premium' });
    const write = () => developer.api.request('POST', '/api/projects/', { name: 'Now' });
    const forbidden = await developer.api.request('POST', '/api/system/maintenance', {});
    expect(outcomeOf(forbidden)).toEqual([403, 'AUTH_INSUFFICIENT_PERMISSIONS']);
    const ends_at = new Date(Date.now() + 600_000).toISOString();
    const started = await admin.call('POST', '/api/system/maintenance', { message: 'New disks', ends_at });
    expect(started).toMatchObject({ status: 'active', message: 'New disks', ends_at });
    const refused = await write();
    expect(outcomeOf(refused)).toEqual([503, 'SYSTEM_MAINTENANCE']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(500);
    expect((await developer.api.request('GET', '/api/projects/')).status).toBe(200);
    expect(await developer.api.call('GET', '/api/system/maintenance')).toMatchObject({ status: 'active' });
    await admin.call('DELETE', '/api/system/maintenance');
    expect((await write()).status).toBe(201);
  });

  test('outlives a restart', async () => {
    const { admin } = running;
    await admin.call('POST', '/api/system/maintenance', {});
    for (const service of ['project-service', 'gateway'] as const) {
      running.platform.kill(service);
      await running.platform.ready(service);
    }
    expect(await admin.call('GET', '/api/system/maintenance')).toMatchObject({ status: 'active' });
    await admin.call('DELETE', '/api/system/maintenance');
  });
});
