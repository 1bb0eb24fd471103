import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Answer } from '../scripts/api-client.ts';
import { startTestPlatform, type TestPlatform } from './support/platform.ts';
import { createProject } from './support/tasks.ts';
import { forgeToken } from './support/token.ts';
import { createUser } from './support/users.ts';

const bodyLimit = 100_000;
const absent = '018f0000-0000-7000-8000-000000000000';

let running: TestPlatform;
let projectId: string;

beforeAll(async () => {
  running = await startTestPlatform({ BODY_LIMIT_BYTES: String(bodyLimit) });
  projectId = await createProject(running.admin);
});
afterAll(async () => running?.[Symbol.asyncDispose]());

const createTask = (body: unknown) => running.admin.request('POST', '/api/tasks/', body);

function expectRefusal(answer: Answer, status: number, code: string | RegExp): void {
  const { error, data } = answer.body;
  expect({ status: answer.status, code: error?.code, data }).toEqual({
    status,
    code: typeof code === 'string' ? code : expect.stringMatching(code),
    data: null,
  });
}

describe('the envelope', () => {
  test('an answer names its request, in the body and in the header', async () => {
    const { headers, body } = await running.visitor.request('GET', '/api/health');
    expect(body.error).toBeNull();
    expect(body.meta.request_id).toMatch(/^[\da-f-]{36}$/);
    expect(headers.get('x-request-id')).toBe(body.meta.request_id);
    expect(Date.parse(body.meta.timestamp)).not.toBeNaN();
    expect(body.meta.version).toMatch(/^\d+\.\d+\.\d+/);
  });

  test("the caller's own request id is kept", async () => {
    const sent = { 'x-request-id': 'my-request.1' };
    const { headers, body } = await running.admin.request('GET', '/api/projects/', undefined, sent);
    expect(body.meta.request_id).toBe('my-request.1');
    expect(headers.get('x-request-id')).toBe('my-request.1');
  });

  test('a refusal has the envelope too', async () => {
    const { headers, body } = await running.visitor.request('GET', '/api/nothing/here');
    expect(body.data).toBeNull();
    expect(body.error).toMatchObject({ code: 'RESOURCE_NOT_FOUND', message: expect.any(String), details: {} });
    expect(headers.get('x-request-id')).toBe(body.meta.request_id);
  });

  test('a trailing slash makes no difference', async () => {
    expect((await running.visitor.request('GET', '/api/health/')).status).toBe(200);
    expect((await running.admin.request('GET', '/api/projects')).status).toBe(200);
  });
});

describe('bad input', () => {
  test('broken JSON is malformed', async () => {
    expectRefusal(await createTask('{"title": '), 400, 'REQUEST_MALFORMED');
  });

  test('a body above the limit is too large', async () => {
    const description = 'x'.repeat(bodyLimit);
    expectRefusal(await createTask({ title: 'Large', project_id: projectId, description }), 413, 'REQUEST_TOO_LARGE');
  });

  test('an unknown field is refused by its name', async () => {
    const answer = await createTask({ title: 'Typo', project_id: projectId, desciption: 'misspelled' });
    expectRefusal(answer, 422, 'VALIDATION_ERROR');
    expect(answer.body.error?.details).toMatchObject({ field: 'desciption' });
  });

  test('a missing field is named', async () => {
    const answer = await createTask({ project_id: projectId });
    expectRefusal(answer, 422, 'VALIDATION_REQUIRED_FIELD');
    expect(answer.body.error?.details).toMatchObject({ field: 'title' });
  });

  test('a value of the wrong type is named', async () => {
    const answer = await createTask({ title: { $ne: '' }, project_id: projectId });
    expectRefusal(answer, 422, /^VALIDATION_/);
    expect(answer.body.error?.details).toMatchObject({ field: 'title' });
  });

  test('a value that is too long is named', async () => {
    const answer = await createTask({ title: 'x'.repeat(256), project_id: projectId });
    expectRefusal(answer, 422, 'VALIDATION_VALUE_TOO_LONG');
    expect(answer.body.error?.details).toMatchObject({ field: 'title' });
  });

  test.each(['status[$ne]=pending', 'status=nonsense', 'page=0', 'page_size=101', 'page_size=many', 'nonsense=1'])(
    'the query ?%s is refused',
    async (query) => {
      expectRefusal(await running.admin.request('GET', `/api/tasks/?${query}`), 422, /^VALIDATION_/);
    },
  );

  test('an id that is no UUID is refused', async () => {
    for (const id of ['not-a-uuid', '%24ne', "1'%20or%20'1"]) {
      const { status, body } = await running.admin.request('GET', `/api/tasks/${id}`);
      expect([404, 422]).toContain(status);
      expect(body.error?.code).toMatch(/^(VALIDATION_|TASK_NOT_FOUND|RESOURCE_NOT_FOUND)/);
    }
  });

  test('an id of nothing is not found', async () => {
    expectRefusal(await running.admin.request('GET', `/api/tasks/${absent}`), 404, 'TASK_NOT_FOUND');
    expectRefusal(await running.admin.request('GET', `/api/projects/${absent}`), 404, 'PROJECT_NOT_FOUND');
  });
});

describe('who may come in', () => {
  test('without a token nobody', async () => {
    expectRefusal(await running.visitor.request('GET', '/api/tasks/'), 401, 'AUTH_TOKEN_MISSING');
  });

  test.each([
    ['no token at all', () => 'nonsense'],
    ['signed by somebody else', () => forgeToken('a secret that is not the one of this platform')],
    ['expired', () => forgeToken(running.jwtSecret, { expiresIn: -60 })],
    ['of an unknown role', () => forgeToken(running.jwtSecret, { role: 'emperor' })],
    ['of an account that is not there', () => forgeToken(running.jwtSecret)],
  ])('not with a token that is %s', async (_, token) => {
    expectRefusal(await running.visitor.as(token()).request('GET', '/api/tasks/'), 401, 'AUTH_TOKEN_INVALID');
  });

  test('not with a token that claims to need no signature', async () => {
    const [, claims] = forgeToken(running.jwtSecret, { role: 'admin' }).split('.');
    const header = Buffer.from(JSON.stringify({ alg: 'none', typ: 'JWT' })).toString('base64url');
    const answer = await running.visitor.as(`${header}.${claims}.`).request('GET', '/api/tasks/');
    expectRefusal(answer, 401, 'AUTH_TOKEN_INVALID');
  });

  test('not with a wrong password, nor is it told whether the account exists', async () => {
    const login = (username: string) =>
      running.visitor.request('POST', '/api/auth/login', { username, password: 'wrong password' });
    const [known, unknown] = [await login(running.platform.adminUsername), await login('nobody')];
    expectRefusal(known, 401, 'AUTH_TOKEN_INVALID');
    expectRefusal(unknown, 401, 'AUTH_TOKEN_INVALID');
    expect(unknown.body.error?.message).toBe(known.body.error?.message);
  });

  test('a viewer may read, but neither write nor execute', async () => {
    const { api: viewer } = await createUser(running, 'viewer');
    expect((await viewer.request('GET', '/api/tasks/')).status).toBe(200);
    const write = await viewer.request('POST', '/api/projects/', { name: 'Mine' });
    expectRefusal(write, 403, 'AUTH_INSUFFICIENT_PERMISSIONS');
    const run = await viewer.request('POST', '/api/commands/execute', { command: 'id' });
    expectRefusal(run, 403, 'AUTH_INSUFFICIENT_PERMISSIONS');
  });

  test("a developer sees nothing of others' projects", async () => {
    const { api: developer } = await createUser(running);
    expectRefusal(await developer.request('GET', `/api/projects/${projectId}`), 403, 'PROJECT_ACCESS_DENIED');
    const task = { title: 'Not mine', project_id: projectId };
    expectRefusal(await developer.request('POST', '/api/tasks/', task), 403, 'PROJECT_ACCESS_DENIED');
    expect(await developer.call('GET', '/api/projects/')).toMatchObject({ items: [], total: 0 });
  });
});
