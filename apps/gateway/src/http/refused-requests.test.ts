import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { anId, ask, bearer, secrets, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ BODY_LIMIT_BYTES: '200000' });
});
afterAll(async () => gateway[Symbol.asyncDispose]());
beforeEach(() => gateway.reset());

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
