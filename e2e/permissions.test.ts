import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { ApiClient } from '../scripts/api-client.ts';
import { callers, createWorld, type World } from './permissions/people.ts';
import { outcomes, policies } from './permissions/policies.ts';
import { cleanups, type Sent, table } from './permissions/table.ts';
import { startTestPlatform, type TestPlatform } from './support/platform.ts';
import { forgeToken } from './support/token.ts';

let running: TestPlatform;
let world: World;
/** Endpoints by their names in the document. */
let endpoints: Map<string, { method: string; path: string; streams: boolean }>;

beforeAll(async () => {
  running = await startTestPlatform();
  world = await createWorld(running);
  const answer = await fetch(`${running.platform.url}/openapi.json`);
  endpoints = endpointsOf((await answer.json()) as Document);
});
afterAll(async () => running?.[Symbol.asyncDispose]());
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

interface Document {
  paths: Record<string, Record<string, { operationId?: string; responses: Record<string, { content?: object }> }>>;
}

function endpointsOf({ paths }: Document): typeof endpoints {
  const found = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { operationId, responses }]) => {
      const streams = 'text/event-stream' in (responses['200']?.content ?? {});
      return operationId ? [[operationId, { method: method.toUpperCase(), path, streams }] as const] : [];
    }),
  );
  return new Map(found);
}

/** What an endpoint answers: success, or status and code of the refusal. */
async function outcomeOf(name: string, api: ApiClient, sent: Sent): Promise<unknown> {
  const { method = '', path = '', streams } = endpoints.get(name) ?? {};
  const address = path.replaceAll(/\{(\w+)\}/g, (_, parameter) => encodeURIComponent(sent.path?.[parameter] ?? ''));
  const query = sent.query ? `?${new URLSearchParams(sent.query)}` : '';
  if (streams) return outcomeOfStream(`${api.url}${address}${query}`, api.token);
  const { status, body } = await api.request(method, address + query, sent.body);
  return status < 300 ? outcomes.ok : [status, body.error?.code];
}

async function outcomeOfStream(url: string, token: string | undefined): Promise<unknown> {
  const response = await fetch(url, token ? { headers: { authorization: `Bearer ${token}` } } : {});
  if (response.ok) {
    await response.body?.cancel();
    return outcomes.ok;
  }
  return [response.status, ((await response.json()) as { error: { code: string } }).error.code];
}

test('every endpoint has a row in the table of permissions, and there is no row without an endpoint', () => {
  expect(Object.keys(table).toSorted()).toEqual([...endpoints.keys()].toSorted());
});

describe('everybody gets what the table says, and nothing more', () => {
  test.each(Object.entries(table))(
    '%s',
    async (name, [policy, request = (): Sent => ({})]) => {
      const seen: Record<string, unknown> = {};
      for (const caller of callers) {
        const sent = await request(world, caller);
        seen[caller] = await outcomeOf(name, sent.as ?? world.apis[caller], sent);
      }
      const expected = callers.map((caller) => [caller, outcomes[policies[policy][caller]]]);
      expect(seen).toEqual(Object.fromEntries(expected));
    },
    60_000,
  );
});

describe('nobody gets more', () => {
  const taskOf = () => world.apis.owner.call<Record<string, unknown>>('GET', `/api/tasks/${world.task}`);

  test('by naming tasks of others in a list', async () => {
    const { outsider, reader } = world.apis;
    const before = await taskOf();
    for (const api of [outsider, reader]) {
      for (const body of [
        { operation: 'update_status', task_ids: [world.task], data: { status: 'completed' } },
        { operation: 'delete', task_ids: [world.task], data: {} },
      ]) {
        const { successful, failed } = await api.call<Record<string, string[]>>('POST', '/api/tasks/bulk', body);
        expect([successful, failed]).toEqual([[], [world.task]]);
      }
      await api.call('POST', '/api/queues/priority', { task_ids: [world.task], priority: 'high' });
    }
    expect(await taskOf()).toEqual(before);
  });

  test('by fields that are not for callers to set', async () => {
    const { owner, outsider } = world.apis;
    const { project, users } = world;
    const attempts: [ApiClient, string, string, object][] = [
      [owner, 'POST', '/api/tasks/', { title: 'x', project_id: project, created_by: users.outsider.id }],
      [owner, 'POST', '/api/tasks/', { title: 'x', project_id: project, status: 'completed' }],
      [owner, 'PUT', `/api/tasks/${world.task}`, { version: 0 }],
      [owner, 'PUT', `/api/tasks/${world.task}`, { outbox: [] }],
      [owner, 'PUT', `/api/tasks/${world.task}`, { deleted_at: null }],
      [owner, 'PUT', `/api/projects/${project}`, { members: [] }],
      [owner, 'PUT', `/api/projects/${project}`, { created_by: users.outsider.id }],
      [outsider, 'PUT', '/api/users/preferences', { role: 'admin' }],
      [outsider, 'POST', '/api/sessions/', { user_id: users.owner.id }],
      [outsider, 'POST', '/api/auth/refresh', { role: 'admin' }],
    ];
    for (const [api, method, path, body] of attempts) {
      const { status, body: answer } = await api.request(method, path, body);
      expect([path, body, status, answer.error?.code]).toEqual([path, body, 422, 'VALIDATION_ERROR']);
    }
    expect(await outsider.call('GET', '/api/users/profile')).toMatchObject({ role: 'developer' });
  });

  test('by moving a task into a project of others', async () => {
    const { outsider } = world.apis;
    const { id } = await outsider.call<{ id: string }>('POST', '/api/projects/', { name: 'Mine' });
    const task = await outsider.call<{ id: string }>('POST', '/api/tasks/', { title: 'Mine', project_id: id });
    const moved = await outsider.request('PUT', `/api/tasks/${task.id}`, { project_id: world.project });
    expect(moved.status).toBeGreaterThanOrEqual(400);
    const all = await world.apis.owner.call<{ items: { id: string }[] }>(
      'GET',
      `/api/tasks/?project_id=${world.project}&page_size=100`,
    );
    expect(all.items.some((item) => item.id === task.id)).toBe(false);
  });

  test('by a key that permits more than its owner may, or by the key of somebody else', async () => {
    const { outsider, editor } = world.apis;
    const body = { name: 'more', scopes: ['read', 'admin'] };
    const more = await outsider.request('POST', '/api/users/api-keys', body);
    expect([more.status, more.body.error?.code]).toEqual(outcomes.lacks);
    const made = await editor.call<{ id: string }>('POST', '/api/users/api-keys', { name: 'e', scopes: ['read'] });
    const removed = await outsider.request('DELETE', `/api/users/api-keys/${made.id}`);
    expect([removed.status, removed.body.error?.code]).toEqual(outcomes.hidden);
  });

  test('by a token that says a higher role than the account has', async () => {
    const { outsider } = world.users;
    const forged = forgeToken(running.jwtSecret, { userId: outsider.id, role: 'admin' });
    const { status, body } = await running.visitor.as(forged).request('GET', '/api/users/');
    expect([status, body.error?.code]).toEqual(outcomes.lacks);
  });

  test('by the session of somebody else in a header', async () => {
    const { status, body } = await world.apis.outsider.request('GET', '/api/projects/', undefined, {
      'x-session-id': world.session,
    });
    expect([status, body.error?.code]).toEqual(outcomes.hidden);
  });
});

test('the refusals of what is for admins are in the audit log', async () => {
  const { viewer } = world.users;
  const query = `actor=${viewer.id}&action=endpoint.refused&page_size=100`;
  for (let n = 0; n < 200; n++) {
    const { items } = await running.admin.call<{ items: object[] }>('GET', `/api/audit?${query}`);
    const adminsOnly = Object.values(table).filter(([policy]) => policy === 'admins').length;
    if (items.length >= adminsOnly) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('refusals are missing in the audit log');
});
