import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { readSettings } from '@claude-cli/shared/settings';
import { afterEach, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { answerHeaders, requestHeaders } from '../docs/headers.ts';
import { bearer, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

const ours = 'https://app.example.com';
let gateway: TestGateway;
afterEach(async () => gateway[Symbol.asyncDispose]());

async function send(method: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${gateway.url}/api/tasks/`, { method, headers });
  await response.body?.cancel();
  const { status } = response;
  const given = [...response.headers].filter(([name]) => name.startsWith('access-control-'));
  return { status, headers: response.headers, given: Object.fromEntries(given) };
}

const preflight = (origin: string) => send('OPTIONS', { origin, 'access-control-request-method': 'POST' });

describe('a page of an origin that is allowed', () => {
  test('may read answers and refusals with their headers, with a token or without', async () => {
    gateway = await startTestGateway({ CORS_ORIGINS: `http://localhost:3000, ${ours}` });
    const read = await send('GET', { origin: ours, authorization: bearer() });
    const refused = await send('GET', { origin: ours });
    expect([read.status, refused.status]).toEqual([200, 401]);
    for (const { given, headers } of [read, refused]) {
      expect(given).toEqual({
        'access-control-allow-origin': ours,
        'access-control-allow-credentials': 'true',
        'access-control-expose-headers': Object.keys(answerHeaders).join(', '),
      });
      expect(headers.get('vary')).toBe('Origin');
    }
  });

  test('is told before a request what it may send, for which no token is asked', async () => {
    gateway = await startTestGateway({ CORS_ORIGINS: ours });
    const { status, given } = await preflight(ours);
    expect(status).toBe(204);
    expect(given).toMatchObject({
      'access-control-allow-origin': ours,
      'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
      'access-control-max-age': '7200',
    });
    const allowed = String(given['access-control-allow-headers']).split(', ');
    const used = Object.values(requestHeaders).map(({ name }) => name);
    expect(allowed).toEqual(expect.arrayContaining(['Authorization', 'Content-Type', ...used]));
    expect(gateway.calls).toEqual([]);
  });

  test('may not ask too often, and its questions do not count as requests', async () => {
    gateway = await startTestGateway({ CORS_ORIGINS: ours, RATE_LIMIT_ANONYMOUS: '2', RATE_LIMIT_PREMIUM: '4' });
    const statuses: number[] = [];
    for (let n = 0; n < 6; n++) statuses.push((await preflight(ours)).status);
    expect(statuses).toEqual([204, 204, 204, 204, 429, 429]);
    expect((await send('GET', { origin: ours })).status).toBe(401);
  });
});

describe('a page of another origin', () => {
  test.each([
    'https://evil.example',
    'http://app.example.com',
    'https://app.example.com:8443',
    'https://app.example.com.evil.example',
    'https://sub.app.example.com',
    'null',
  ])('%s is told nothing', async (origin) => {
    gateway = await startTestGateway({ CORS_ORIGINS: ours });
    expect((await send('GET', { origin })).given).toEqual({});
    const asked = await preflight(origin);
    expect([asked.status, asked.given]).toEqual([204, {}]);
    expect(asked.headers.get('allow')).toContain('GET');
  });

  test('may read everything when all are allowed, but never with credentials of the browser', async () => {
    gateway = await startTestGateway({ CORS_ORIGINS: '*' });
    const { given } = await send('GET', { origin: 'https://anywhere.example', authorization: bearer() });
    expect(given).toEqual({
      'access-control-allow-origin': '*',
      'access-control-expose-headers': expect.any(String),
    });
  });

  test('is told nothing when nothing is configured', async () => {
    gateway = await startTestGateway();
    const { given, headers } = await send('GET', { origin: ours, authorization: bearer() });
    expect([given, headers.get('vary')]).toEqual([{}, null]);
  });
});

describe('a WebSocket', () => {
  const statusFor = async (headers: Record<string, string>) => {
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/ws/session-1`, { headers });
    const [, response] = (await once(
      socket.on('error', () => {}),
      'unexpected-response',
    )) as [unknown, IncomingMessage];
    return response.statusCode;
  };

  test('of a page that is not allowed is refused; of one that is, and of programs, it is passed on', async () => {
    // Nobody listens at the address of realtime, so what is passed on ends with 503.
    const away = { REALTIME_URL: 'http://127.0.0.1:1' };
    gateway = await startTestGateway({ ...away, CORS_ORIGINS: ours });
    expect(await statusFor({ origin: 'https://evil.example' })).toBe(403);
    expect(await statusFor({ origin: 'null' })).toBe(403);
    expect(await statusFor({ origin: ours })).toBe(503);
    expect(await statusFor({})).toBe(503);
    await gateway[Symbol.asyncDispose]();
    gateway = await startTestGateway(away);
    expect(await statusFor({ origin: 'https://anywhere.example' })).toBe(503);
  });
});

test('what is no origin is refused at the start', async () => {
  gateway = await startTestGateway();
  for (const CORS_ORIGINS of ['https://a.example/', 'https://a.example/app', 'a.example', 'null', '*.a.example', '']) {
    const read = () => readSettings(['CORS_ORIGINS'], { CORS_ORIGINS });
    if (CORS_ORIGINS === '') expect(read()).toEqual({ CORS_ORIGINS: undefined });
    else expect(read).toThrow(/must be \* or origins/);
  }
});
