import { PlatformError } from '@claude-cli/shared/errors';
import { until } from '@claude-cli/shared/testing/until';
import { afterEach, describe, expect, test } from '@jest/globals';
import { anId, ask, bearer, idOf, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
afterEach(async () => gateway[Symbol.asyncDispose]());

const limitOf = ({ headers }: { headers: Headers }) =>
  ['limit', 'remaining', 'window'].map((name) => Number(headers.get(`x-ratelimit-${name}`)));

describe('rate limits', () => {
  test('are counted by address until somebody has signed in, and then by user', async () => {
    gateway = await startTestGateway({ RATE_LIMIT_ANONYMOUS: '5', RATE_LIMIT_USER: '7' });
    expect(limitOf(await ask(gateway, 'GET', '/api/health', { anonymous: true }))).toEqual([5, 4, 60]);
    expect(limitOf(await ask(gateway, 'GET', '/api/tasks/'))).toEqual([7, 6, 60]);
    expect(limitOf(await ask(gateway, 'GET', '/api/tasks/', { headers: { authorization: bearer('viewer') } }))).toEqual(
      [7, 6, 60],
    );
    expect(limitOf(await ask(gateway, 'GET', '/api/health', { anonymous: true }))).toEqual([5, 3, 60]);
  });

  test('are higher for users of the tier premium', async () => {
    gateway = await startTestGateway({ RATE_LIMIT_USER: '7', RATE_LIMIT_PREMIUM: '11' });
    gateway.answers.set('AuthService.checkUser', () => ({ role: 'developer', tier: 'premium' }));
    expect(limitOf(await ask(gateway, 'GET', '/api/tasks/'))).toEqual([11, 10, 60]);
  });

  test('are told by every answer, whatever it is', async () => {
    gateway = await startTestGateway();
    const requests: [string, string, object][] = [
      ['GET', '/api/health', {}],
      ['GET', '/api/nothing', {}],
      ['PATCH', '/api/tasks/', {}],
      ['OPTIONS', '/api/tasks/', {}],
      ['GET', '/api/tasks/%ZZ', {}],
      ['POST', '/api/tasks/', { body: '{' }],
      ['GET', '/api/tasks/', { anonymous: true }],
      ['GET', '/openapi.json', {}],
      ['GET', '/docs', {}],
      ['GET', '/ws/x', {}],
    ];
    for (const [method, path, options] of requests) {
      const response = await fetch(gateway.url + path, { method, redirect: 'manual', ...options });
      const names = ['limit', 'remaining', 'reset', 'window'].filter((name) =>
        /^\d+$/.test(response.headers.get(`x-ratelimit-${name}`) ?? ''),
      );
      expect([path, names]).toEqual([path, ['limit', 'remaining', 'reset', 'window']]);
      expect(Number(response.headers.get('x-ratelimit-reset')) * 1000).toBeGreaterThan(Date.now());
      await response.body?.cancel();
    }
  });

  test('that are exceeded are answered as promised', async () => {
    gateway = await startTestGateway({ RATE_LIMIT_USER: '2' });
    for (let n = 0; n < 2; n++) expect((await ask(gateway, 'GET', '/api/tasks/')).status).toBe(200);
    const { status, headers, json } = await ask(gateway, 'GET', '/api/tasks/');
    expect(status).toBe(429);
    expect(json).toMatchObject({
      data: null,
      error: {
        code: 'RATE_LIMIT_EXCEEDED',
        message: 'Too many requests. Please try again later.',
        details: { limit: 2, window: 60, reset_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) },
      },
    });
    const seconds = (Date.parse(json.error.details.reset_at) - Date.now()) / 1000;
    expect(Math.abs(Number(headers.get('retry-after')) - seconds)).toBeLessThan(2);
    expect(headers.get('x-ratelimit-remaining')).toBe('0');
  });

  test('count guesses at tokens by address', async () => {
    gateway = await startTestGateway({ RATE_LIMIT_ANONYMOUS: '3' });
    const headers = { authorization: 'Bearer ccp_guess' };
    gateway.answers.set('AuthService.checkApiKey', () => {
      throw new PlatformError('AUTH_TOKEN_INVALID', 'The API key is not valid');
    });
    const statuses = [];
    for (let n = 0; n < 5; n++) statuses.push((await ask(gateway, 'GET', '/api/tasks/', { headers })).status);
    expect(statuses).toEqual([401, 401, 401, 429, 429]);
    // Who has a token is not held responsible for the neighbours.
    expect((await ask(gateway, 'GET', '/api/tasks/')).status).toBe(200);
  });

  test.each([
    ['no proxy', {}, ['9.9.9.9', '8.8.8.8'], true],
    ['one proxy', { TRUST_PROXY: '1' }, ['9.9.9.9', '8.8.8.8'], false],
    ['one proxy, and a forged hop', { TRUST_PROXY: '1' }, ['1.1.1.1, 8.8.8.8', '2.2.2.2, 8.8.8.8'], true],
    ['the loopback network', { TRUST_PROXY: 'loopback' }, ['9.9.9.9', '8.8.8.8'], false],
    ['another network', { TRUST_PROXY: '10.0.0.0/8' }, ['9.9.9.9', '8.8.8.8'], true],
  ])('behind %s tell callers apart only as far as the proxies are trusted', async (_what, env, forwarded, same) => {
    gateway = await startTestGateway({ RATE_LIMIT_ANONYMOUS: '50', ...env });
    const remaining = [];
    for (const address of forwarded) {
      const headers = { 'x-forwarded-for': address };
      const reply = await ask(gateway, 'GET', '/api/health', { anonymous: true, headers });
      remaining.push(Number(reply.headers.get('x-ratelimit-remaining')));
    }
    expect(remaining).toEqual(same ? [49, 48] : [49, 49]);
  });
});

describe('sign-ins', () => {
  const login = (username: string, password = 'wrong') =>
    ask(gateway, 'POST', '/api/auth/login', { anonymous: true, body: { username, password } });

  test('that fail are limited by account and address, those that succeed are not', async () => {
    gateway = await startTestGateway({ RATE_LIMIT_LOGIN: '3' });
    gateway.answers.set('AuthService.login', ({ password }) => {
      if (password !== 'right') throw new PlatformError('AUTH_TOKEN_INVALID', 'Username or password is wrong');
      return { access_token: 'token', expires_in: 3600 };
    });
    for (let n = 0; n < 10; n++) expect((await login('admin', 'right')).status).toBe(200);
    const statuses = [];
    for (const name of ['Admin', 'admin', 'ADMIN', 'admin', 'admin']) statuses.push((await login(name)).status);
    expect(statuses).toEqual([401, 401, 401, 429, 429]);
    expect((await login('admin', 'right')).status).toBe(429);
    expect((await login('somebody else', 'right')).status).toBe(200);
  });

  test('are limited although many come at once', async () => {
    gateway = await startTestGateway({ RATE_LIMIT_LOGIN: '3' });
    let tried = 0;
    gateway.answers.set('AuthService.login', async () => {
      tried++;
      await new Promise((resolve) => setTimeout(resolve, 50));
      throw new PlatformError('AUTH_TOKEN_INVALID', 'Username or password is wrong');
    });
    await Promise.all(Array.from({ length: 20 }, () => login('admin')));
    expect(tried).toBe(3);
  });
});

describe('overload', () => {
  test('is answered at once, with when to come again, and health still answers', async () => {
    gateway = await startTestGateway({ MAX_REQUESTS_IN_FLIGHT: '2' });
    let finish: () => void = () => {};
    const busy = new Promise<void>((resolve) => {
      finish = resolve;
    });
    gateway.answers.set('TaskService.getTask', async () => {
      await busy;
      return {};
    });
    const pending = [1, 2].map(() => ask(gateway, 'GET', `/api/tasks/${anId}`));
    await until('both are asked', () => gateway.calls.length === 2);
    const { status, headers, json } = await ask(gateway, 'GET', '/api/tasks/');
    expect([status, json.error.code, headers.get('retry-after')]).toEqual([503, 'SYSTEM_OVERLOADED', '1']);
    expect(headers.get('x-ratelimit-limit')).not.toBeNull();
    expect((await ask(gateway, 'GET', '/api/health')).status).toBe(200);
    finish();
    expect((await Promise.all(pending)).map((reply) => reply.status)).toEqual([200, 200]);
    expect((await ask(gateway, 'GET', '/api/tasks/')).status).toBe(200);
  });
});

describe('accounts', () => {
  const active = { role: 'developer', tier: 'standard', disabled: false, token_version: 0, revoked_token_ids: [] };
  const get = (authorization: string) => ask(gateway, 'GET', '/api/tasks/', { headers: { authorization } });

  test('that are disabled, and tokens that are revoked, are refused', async () => {
    gateway = await startTestGateway();
    for (const [change, status, code] of [
      [{ disabled: true }, 403, 'AUTH_ACCOUNT_DISABLED'],
      [{ token_version: 1 }, 401, 'AUTH_TOKEN_INVALID'],
    ] as const) {
      const user = idOf[status === 403 ? 'developer' : 'viewer'];
      gateway.answers.set('AuthService.checkUser', ({ user_id }) =>
        user_id === user ? { ...active, ...change } : active,
      );
      const reply = await get(bearer(status === 403 ? 'developer' : 'viewer'));
      expect([reply.status, reply.json.error.code]).toEqual([status, code]);
    }
  });

  test('are asked about every few seconds only, and answer for a while when nobody can be asked', async () => {
    gateway = await startTestGateway();
    let asked = 0;
    const state = { role: 'developer', tier: 'standard' };
    gateway.answers.set('AuthService.checkUser', () => {
      asked++;
      return state;
    });
    for (let n = 0; n < 5; n++) expect((await get(bearer('developer'))).status).toBe(200);
    expect(asked).toBe(1);
    gateway.answers.set('AuthService.checkUser', () => {
      asked++;
      throw new PlatformError('SERVICE_UNAVAILABLE', 'project-service cannot be reached');
    });
    await until('it is asked again', async () => {
      expect((await get(bearer('developer'))).status).toBe(200);
      return asked > 1;
    });
    expect((await get(bearer('viewer'))).status).toBe(503);
  });

  test('have the role that they have now, whatever the token says', async () => {
    gateway = await startTestGateway();
    gateway.answers.set('AuthService.checkUser', () => ({ role: 'viewer', tier: 'standard' }));
    const { status } = await ask(gateway, 'POST', '/api/projects/', { body: { name: 'Mine' } });
    expect(status).toBe(403);
  });

  test('are spoken for by API keys, within their scopes', async () => {
    gateway = await startTestGateway();
    gateway.answers.set('AuthService.checkApiKey', ({ key }) => ({
      key_id: anId,
      user_id: idOf.admin,
      account: { ...active, role: 'admin', disabled: key === 'ccp_disabled' },
      scopes: ['read', 'execute'],
    }));
    expect((await get('Bearer ccp_good')).status).toBe(200);
    expect(gateway.calls.at(-1)?.call.caller).toMatchObject({
      user_id: idOf.admin,
      permissions: ['read', 'execute'],
      credential: { kind: 'api_key', id: anId },
    });
    const headers = { authorization: 'Bearer ccp_good' };
    expect((await ask(gateway, 'POST', '/api/projects/', { headers, body: { name: 'Mine' } })).status).toBe(403);
    expect((await get('Bearer ccp_disabled')).json.error.code).toBe('AUTH_ACCOUNT_DISABLED');
  });

  test('are asked about anew as soon as something of theirs was changed here', async () => {
    gateway = await startTestGateway();
    let version = 0;
    gateway.answers.set('AuthService.checkUser', () => ({ role: 'admin', token_version: version }));
    gateway.answers.set('AuthService.logout', () => {
      version++;
      return { message: 'Signed out' };
    });
    expect((await get(bearer())).status).toBe(200);
    expect((await ask(gateway, 'POST', '/api/auth/logout', { body: {} })).status).toBe(200);
    expect((await get(bearer())).status).toBe(401);
  });
});
