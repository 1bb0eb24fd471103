import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { anId, ask, bearer, idOf, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ BODY_LIMIT_BYTES: '200000' });
});
afterAll(async () => gateway[Symbol.asyncDispose]());
beforeEach(() => gateway.reset());

const task = { title: 'Write', project_id: anId };
const uuid = /^[0-9a-f-]{36}$/;

describe('an answer of a service', () => {
  test('is enveloped, with the status of its endpoint and null where nothing is set', async () => {
    gateway.answers.set('TaskService.createTask', (request) => ({
      ...request,
      id: anId,
      created_at: '2025-07-30T12:00:00.000Z',
    }));
    const { status, headers, json } = await ask(gateway, 'POST', '/api/tasks/', {
      body: { ...task, metadata: { a: [1] } },
    });
    expect(status).toBe(201);
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(json).toMatchObject({
      data: {
        id: anId,
        title: 'Write',
        priority: 1,
        assigned_to: null,
        tags: [],
        metadata: { a: [1] },
        status: 'pending',
      },
      error: null,
      meta: { timestamp: expect.any(String), request_id: expect.stringMatching(uuid), version: '1.0.0' },
    });
    expect(json.meta.request_id).toBe(headers.get('x-request-id'));
  });

  test('comes with or without a slash at the end of the path', async () => {
    for (const path of ['/api/tasks', '/api/tasks/', `/api/tasks/${anId}`, `/api/tasks/${anId}/`]) {
      expect((await ask(gateway, 'GET', path)).status).toBe(200);
    }
  });

  test('is a page with links when the endpoint is paginated', async () => {
    gateway.answers.set('TaskService.listTasks', () => ({ items: [], total: 60 }));
    const { json } = await ask(gateway, 'GET', '/api/tasks?status=pending,failed&page_size=20');
    expect(gateway.calls[0]?.request).toMatchObject({ status: ['pending', 'failed'], page: 1, page_size: 20 });
    expect(json.data).toMatchObject({ items: [], total: 60, page: 1, page_size: 20, pages: 3, has_next: true });
    expect(json.data.pagination.links.next).toBe('/api/tasks/?status=pending,failed&page=2&page_size=20');
  });

  test('has no body when only its head was asked for', async () => {
    const { status, json } = await ask(gateway, 'HEAD', `/api/tasks/${anId}`);
    expect([status, json]).toEqual([200, undefined]);
  });
});

describe('a request', () => {
  test('reaches the service with caller, session, request id and deadline', async () => {
    const before = Date.now();
    const headers = { 'x-request-id': 'my:request.1', 'x-session-id': anId, authorization: bearer('developer') };
    const reply = await ask(gateway, 'GET', `/api/tasks/${anId}`, { headers });
    expect(reply.headers.get('x-request-id')).toBe('my:request.1');
    expect(gateway.calls.map(({ rpc }) => rpc)).toEqual([
      'SessionService.touchSession',
      'TaskService.getTask',
      'SessionService.recordActivity',
    ]);
    const [, seen] = gateway.calls;
    expect(seen?.request).toEqual({ task_id: anId });
    expect(seen?.call.requestId).toBe('my:request.1');
    expect(seen?.call.caller).toMatchObject({ user_id: idOf.developer, role: 'developer', session_id: anId });
    const allowed = (seen?.call.deadline?.getTime() ?? 0) - before;
    expect(allowed).toBeGreaterThan(8_000);
    expect(allowed).toBeLessThan(11_000);
  });

  test.each(['has blanks', 'x'.repeat(129), '<script>'])('gets a new id for one that is not sane: %s', async (id) => {
    const { headers } = await ask(gateway, 'GET', '/api/health', { headers: { 'x-request-id': id } });
    expect(headers.get('x-request-id')).toMatch(uuid);
  });

  test('with null names the cleared fields to the service', async () => {
    await ask(gateway, 'PUT', `/api/tasks/${anId}`, { body: { assigned_to: null, tags: [] } });
    expect(gateway.calls[0]?.request).toMatchObject({ tags: [], cleared_fields: ['assigned_to', 'tags'] });
  });

  test('carries the deepest object that is accepted', async () => {
    const nested = (depth: number): unknown => (depth === 0 ? 'end' : { a: nested(depth - 1) });
    gateway.answers.set('TaskService.createTask', ({ metadata }) => ({ metadata }));
    const { status, json } = await ask(gateway, 'POST', '/api/tasks/', { body: { ...task, metadata: nested(32) } });
    expect(status).toBe(201);
    expect(json.data.metadata).toEqual(nested(32));
  });

  test('may be compressed, and is bounded by what it inflates to', async () => {
    const send = (body: object) =>
      ask(gateway, 'POST', '/api/tasks/', {
        body: new Uint8Array(gzipSync(JSON.stringify(body))),
        headers: { 'content-encoding': 'gzip' },
      });
    expect((await send(task)).status).toBe(201);
    const { status, json } = await send({ ...task, description: 'x'.repeat(300_000) });
    expect([status, json.error.code]).toEqual([413, 'REQUEST_TOO_LARGE']);
  });
});
