import { gzipSync } from 'node:zlib';
import { PlatformError } from '@claude-cli/shared/errors';
import { metrics } from '@claude-cli/shared/telemetry';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { anId, ask, bearer, idOf, secrets, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

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

describe('a refusal', () => {
  type Case = [string, string, string, Parameters<typeof ask>[3], number, string];
  const json = 'application/json';
  test.each<Case>([
    ['an unknown path', 'GET', '/api/nothing', {}, 404, 'RESOURCE_NOT_FOUND'],
    ['a path in capitals', 'GET', '/API/tasks', {}, 404, 'RESOURCE_NOT_FOUND'],
    ['a path that cannot be decoded', 'GET', '/api/tasks/%ZZ', {}, 400, 'REQUEST_MALFORMED'],
    ['a wrong method', 'PATCH', '/api/tasks/', {}, 405, 'METHOD_NOT_ALLOWED'],
    ['broken JSON', 'POST', '/api/tasks/', { body: '{"title":' }, 400, 'REQUEST_MALFORMED'],
    ['a body too large', 'POST', '/api/tasks/', { body: `"${'x'.repeat(200_001)}"` }, 413, 'REQUEST_TOO_LARGE'],
    [
      'another type',
      'POST',
      '/api/tasks/',
      { body: 'x', headers: { 'content-type': 'text/plain' } },
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    [
      'another charset',
      'POST',
      '/api/tasks/',
      { body: '{}', headers: { 'content-type': `${json}; charset=latin1` } },
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    [
      'another encoding',
      'POST',
      '/api/tasks/',
      { body: '{}', headers: { 'content-encoding': 'lzma' } },
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    ],
    [
      'what is not gzip',
      'POST',
      '/api/tasks/',
      { body: '{}', headers: { 'content-encoding': 'gzip' } },
      400,
      'REQUEST_MALFORMED',
    ],
    ['a list for a body', 'POST', '/api/tasks/', { body: [] }, 422, 'VALIDATION_ERROR'],
    ['no body where one is needed', 'POST', '/api/tasks/', {}, 422, 'VALIDATION_REQUIRED_FIELD'],
    ['an id that is none', 'GET', '/api/tasks/7', {}, 422, 'VALIDATION_INVALID_FORMAT'],
    [
      'a session id that is none',
      'GET',
      '/api/tasks/',
      { headers: { 'x-session-id': '7' } },
      422,
      'VALIDATION_INVALID_FORMAT',
    ],
  ])('answers %s', async (_what, method, path, options, status, code) => {
    const reply = await ask(gateway, method, path, options);
    expect([reply.status, reply.json.error.code]).toEqual([status, code]);
    expect(reply.json).toEqual({
      data: null,
      error: { code, message: expect.any(String), details: expect.any(Object) },
      meta: { timestamp: expect.any(String), request_id: reply.headers.get('x-request-id') },
    });
    expect(gateway.calls).toEqual([]);
  });

  test('of a field names the field and the issue', async () => {
    const { json } = await ask(gateway, 'POST', '/api/tasks/', { body: { project_id: anId } });
    expect(json.error).toEqual({
      code: 'VALIDATION_REQUIRED_FIELD',
      message: 'Invalid input data',
      details: { field: 'title', issue: 'Field is required' },
    });
  });

  test('of a method says which ones there are, and so does OPTIONS', async () => {
    expect((await ask(gateway, 'PATCH', '/api/tasks/')).headers.get('allow')).toBe('POST, GET, HEAD');
    const { status, headers } = await ask(gateway, 'OPTIONS', `/api/tasks/${anId}`);
    expect([status, headers.get('allow')]).toEqual([204, 'GET, HEAD, PUT, DELETE, OPTIONS']);
  });
});

describe('a caller', () => {
  const get = (headers: Record<string, string>) => ask(gateway, 'GET', '/api/tasks/', { anonymous: true, headers });
  const [inUse = '', older = ''] = secrets;
  const [header, claims, signature] = bearer().slice(7).split('.');
  const none = Buffer.from(JSON.stringify({ alg: 'none', typ: 'JWT' })).toString('base64url');
  const noneWithKey = Buffer.from(JSON.stringify({ ...JSON.parse(atob(header ?? '')), alg: 'none' })).toString(
    'base64url',
  );
  const admin = Buffer.from(JSON.stringify({ sub: anId, role: 'admin', exp: 9e9 })).toString('base64url');

  test('without a token is told so, before anything about the request', async () => {
    const { status, headers, json } = await ask(gateway, 'POST', '/api/tasks/', { anonymous: true, body: '{' });
    expect([status, json.error.code]).toEqual([401, 'AUTH_TOKEN_MISSING']);
    expect(headers.get('www-authenticate')).toBe('Bearer');
  });

  test.each([
    ['expired', bearer('admin', -10)],
    ['signed with an unknown secret', bearer('admin', 60, ['nobody knows this secret, 32 chars'])],
    ['with a role that there is not', bearer('root' as 'admin')],
    ['of another scheme', 'Basic YTpi'],
    ['that is empty', 'Bearer '],
    ['that is garbage', 'Bearer garbage'],
    ['that is very long', `Bearer ${'x'.repeat(10_000)}`],
    ['unsigned', `Bearer ${none}.${claims}.`],
    ['unsigned, with a known key id', `Bearer ${noneWithKey}.${claims}.`],
    ['with claims of its own', `Bearer ${header}.${admin}.${signature}`],
  ])('with a token %s is not believed', async (_what, authorization) => {
    const { status, headers, json } = await get({ authorization });
    expect([status, json.error.code]).toEqual([401, 'AUTH_TOKEN_INVALID']);
    expect(headers.get('www-authenticate')).toBe('Bearer');
    expect(gateway.calls).toEqual([]);
  });

  test('with a token signed with an older secret is still believed', async () => {
    expect((await get({ authorization: bearer('viewer', 60, [older, inUse]) })).status).toBe(200);
  });

  test('without the permission is told which one, before anything about the request', async () => {
    const headers = { authorization: bearer('viewer') };
    const { status, json } = await ask(gateway, 'POST', '/api/tasks/', { headers, body: '{' });
    expect([status, json.error.code, json.error.details]).toEqual([
      403,
      'AUTH_INSUFFICIENT_PERMISSIONS',
      { required: 'write' },
    ]);
  });

  test('who is nobody yet sends small bodies only', async () => {
    const body = { username: 'a', password: 'x'.repeat(70_000) };
    const { status, json } = await ask(gateway, 'POST', '/api/auth/login', { body, anonymous: true });
    expect([status, json.error.details]).toEqual([413, { limit: 65_536 }]);
  });

  test('needs no token to sign in, and a wrong one does no harm', async () => {
    gateway.answers.set('AuthService.login', () => ({ access_token: 'new', expires_in: 3600 }));
    const body = { username: 'a', password: 'correct horse' };
    const { status, json } = await ask(gateway, 'POST', '/api/auth/login', {
      body,
      headers: { authorization: 'Bearer x' },
    });
    expect([status, json.data.access_token]).toEqual([200, 'new']);
    expect(gateway.calls[0]?.call.caller.user_id).toBe('');
  });
});

describe('an error of a service', () => {
  const fail = (error: unknown) =>
    gateway.answers.set('TaskService.getTask', () => {
      throw error;
    });

  test('comes with its code, message, details and status', async () => {
    fail(new PlatformError('TASK_NOT_FOUND', 'There is no such task', { task_id: anId }));
    const { status, json } = await ask(gateway, 'GET', `/api/tasks/${anId}`);
    expect(status).toBe(404);
    expect(json.error).toEqual({
      code: 'TASK_NOT_FOUND',
      message: 'There is no such task',
      details: { task_id: anId },
    });
  });

  test('that is unexpected keeps what lies behind it to itself', async () => {
    fail(new Error('password of the database'));
    const { status, json } = await ask(gateway, 'GET', `/api/tasks/${anId}`);
    expect([status, json.error.code, json.error.details]).toEqual([500, 'INTERNAL_SERVER_ERROR', {}]);
    expect(JSON.stringify(json)).not.toContain('password');
  });

  test('that passes says when to come again', async () => {
    fail(new PlatformError('QUEUE_FULL', 'The queue is full'));
    const { status, headers } = await ask(gateway, 'GET', `/api/tasks/${anId}`);
    expect([status, headers.get('retry-after')]).toEqual([503, '1']);
    fail(new PlatformError('RATE_LIMIT_EXCEEDED', 'x', { reset_at: new Date(Date.now() + 29_500).toISOString() }));
    expect((await ask(gateway, 'GET', `/api/tasks/${anId}`)).headers.get('retry-after')).toBe('30');
  });
});

test('requests are measured by route, method and status', async () => {
  await ask(gateway, 'GET', `/api/tasks/${anId}`);
  await ask(gateway, 'GET', '/api/nothing/at/all');
  await new Promise((resolve) => setTimeout(resolve, 20));
  const text = await metrics.metrics();
  expect(text).toMatch(
    /http_request_duration_seconds_count{method="GET",route="\/api\/tasks\/{task_id}",status="200"} \d/,
  );
  expect(text).toMatch(/http_request_duration_seconds_count{method="GET",route="none",status="404"} \d/);
  expect(text).toMatch(/^http_requests_in_flight 0$/m);
});

describe('the log', () => {
  const faults = () =>
    gateway
      .logged()
      .split('\n')
      .filter((line) => line.includes('"level":50'));

  test('has a fault of ours once, with its stack and the request, and one of a service not again', async () => {
    // gRPC cannot encode this, and says so without any of our codes.
    gateway.answers.set('TaskService.getTask', () => ({ created_at: 'not a time' }));
    const headers = { 'x-request-id': 'faulty-1' };
    const { status, json } = await ask(gateway, 'GET', `/api/tasks/${anId}`, { headers });
    expect([status, json.error.code, json.error.details]).toEqual([500, 'INTERNAL_SERVER_ERROR', {}]);
    const [line, ...others] = faults().filter((line) => line.includes('faulty-1'));
    expect(JSON.parse(line ?? '{}')).toMatchObject({
      msg: 'request failed',
      err: { stack: expect.stringMatching(/ at /) },
    });
    expect(others).toEqual([]);
    const before = faults().length;
    gateway.answers.set('TaskService.getTask', () => {
      throw new Error('logged by the service');
    });
    expect((await ask(gateway, 'GET', `/api/tasks/${anId}`)).status).toBe(500);
    expect(faults()).toHaveLength(before);
  });

  test('names each request with its route, and never a token or a body', async () => {
    const headers = { 'x-request-id': 'logged-1' };
    await ask(gateway, 'POST', '/api/auth/login', { headers, body: { username: 'a', password: 'hunter2', x: 1 } });
    await ask(gateway, 'POST', '/api/auth/login', { headers, body: '{"password":"hunter2"' });
    await ask(gateway, 'GET', `/api/tasks/${anId}`, { headers });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(gateway.logged()).toMatch(
      /"request_id":"logged-1","method":"GET","route":"\/api\/tasks\/{task_id}","status":200/,
    );
    expect(gateway.logged()).not.toMatch(/hunter2|Bearer|eyJ/);
  });
});
