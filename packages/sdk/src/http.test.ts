import { expect, jest, test } from '@jest/globals';
import { ClaudeCliClient, type ClientOptions } from './client.ts';

type Answer = { status: number; data?: unknown; code?: string; headers?: Record<string, string> } | Error;
type Sent = { url: string; method: string; headers: Record<string, string>; body: string | undefined };

/** A client of a platform that gives these answers, one after the other. */
function clientOf(answers: Answer[], options: Partial<ClientOptions> = {}): { client: ClaudeCliClient; sent: Sent[] } {
  const sent: Sent[] = [];
  const fake: typeof fetch = async (url, init = {}) => {
    const { method = 'GET', headers, body } = init;
    sent.push({ url: String(url), method, headers: headers as Record<string, string>, body: body?.toString() });
    const answer = answers.shift() ?? new Error('nothing more was expected');
    if (answer instanceof Error) throw answer;
    const { status, data = null, code, headers: own = {} } = answer;
    const error = code ? { code, message: 'no', details: {} } : null;
    return new Response(JSON.stringify({ data, error, meta: { request_id: 'r' } }), { status, headers: own });
  };
  const retries = { firstMs: 1, mostMs: 1 };
  return {
    client: new ClaudeCliClient({ baseURL: 'http://x/api/', token: 't', fetch: fake, retries, ...options }),
    sent,
  };
}

const unavailable = { status: 503, code: 'SERVICE_UNAVAILABLE' };
const jwt = (left: number) => `h.${btoa(JSON.stringify({ exp: Date.now() / 1000 + left }))}.s`;

test('a POST is repeated with the same key until it is answered', async () => {
  const { client, sent } = clientOf([new TypeError('gone'), unavailable, { status: 201, data: { id: 'a' } }]);
  expect(await client.tasks.create({ title: 'x', projectId: 'p' })).toEqual({ id: 'a' });
  expect(new Set(sent.map(({ headers }) => headers['Idempotency-Key'])).size).toBe(1);
  expect(sent).toHaveLength(3);
  expect(sent[0]).toMatchObject({ url: 'http://x/api/tasks/', method: 'POST', body: '{"title":"x","project_id":"p"}' });
});

test('a PUT is not repeated after a fault, and attempts are bounded', async () => {
  const put = clientOf([unavailable]);
  await expect(put.client.tasks.update('a', { title: 'x' })).rejects.toMatchObject({ status: 503, requestId: 'r' });
  expect(put.sent).toHaveLength(1);
  const get = clientOf(Array(8).fill(unavailable));
  await expect(get.client.tasks.get('a')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  expect(get.sent).toHaveLength(7);
  const back = clientOf([...Array(6).fill(new TypeError('refused')), { status: 200, data: { id: 'a' } }]);
  expect(await back.client.tasks.get('a')).toEqual({ id: 'a' });
});

test('a pause that would be too long is not waited out', async () => {
  const { client, sent } = clientOf([{ status: 429, code: 'RATE_LIMIT_EXCEEDED', headers: { 'retry-after': '90' } }]);
  await expect(client.tasks.list()).rejects.toMatchObject({ status: 429 });
  expect(sent).toHaveLength(1);
});

test('a call ends when its signal says so, also while it waits to be repeated', async () => {
  const { client } = clientOf([{ ...unavailable, headers: { 'retry-after': '30' } }]);
  const signal = AbortSignal.timeout(20);
  await expect(client.tasks.get('a', { signal })).rejects.toBe(await reasonOf(signal));
});

test('an answer that does not come in time is a timeout', async () => {
  const hanging: typeof fetch = (_url, init) =>
    new Promise((_resolve, reject) => init?.signal?.addEventListener('abort', () => reject(new Error('aborted'))));
  const { client } = clientOf([], { fetch: hanging, retries: { attempts: 1 } });
  await expect(client.tasks.get('a', { timeoutMs: 10 })).rejects.toMatchObject({ code: 'TIMEOUT', status: 0 });
});

test('something else than the platform is told from it', async () => {
  const { client } = clientOf([], { fetch: async () => new Response('<html>', { status: 200 }) });
  await expect(client.health.get()).rejects.toMatchObject({ code: 'INVALID_RESPONSE', status: 200 });
});

test('a refused token is replaced once', async () => {
  const refused = { status: 401, code: 'AUTH_TOKEN_INVALID' };
  const tokens = ['one', 'two', 'three'];
  const { client, sent } = clientOf([refused, refused], { token: () => String(tokens.shift()) });
  await expect(client.tasks.get('a')).rejects.toMatchObject({ status: 401 });
  expect(sent.map(({ headers }) => headers.Authorization)).toEqual(['Bearer one', 'Bearer two']);
});

test('many calls sign in once, and the token is refreshed before it expires', async () => {
  const done = { status: 200, data: {} };
  const [first, second] = [jwt(3600), jwt(7200)];
  const { client, sent } = clientOf(
    [{ status: 200, data: { access_token: first } }, done, done, { status: 200, data: { access_token: second } }, done],
    { token: undefined, credentials: { username: 'u', password: 'p' } },
  );
  await Promise.all([client.tasks.get('a'), client.tasks.get('b')]);
  // Half a minute before its end.
  using _clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 3_570_000);
  await client.tasks.get('c');
  expect(sent.map(({ url }) => url.replace('http://x/api', ''))).toEqual([
    '/auth/login',
    '/tasks/a',
    '/tasks/b',
    expect.stringMatching(/^\/auth\/(refresh|login)$/),
    '/tasks/c',
  ]);
  expect(sent.at(-1)?.headers.Authorization).toBe(`Bearer ${second}`);
});

test('lists go into the query separated by commas, and all of their pages are read', async () => {
  const page = (ids: string[], more: boolean) => ({
    status: 200,
    data: { items: ids.map((id) => ({ id })), has_next: more },
  });
  const { client, sent } = clientOf([page(['a', 'b'], true), page(['c'], false)]);
  const seen: string[] = [];
  for await (const { id } of client.tasks.iterate({ status: ['pending', 'running'], projectId: 'p' })) seen.push(id);
  expect(seen).toEqual(['a', 'b', 'c']);
  expect(sent.map(({ url }) => new URL(url).searchParams.toString())).toEqual([
    'page_size=100&status=pending%2Crunning&project_id=p&page=1',
    'page_size=100&status=pending%2Crunning&project_id=p&page=2',
  ]);
});

test('a missing id is noticed before anything is sent', async () => {
  const { client, sent } = clientOf([]);
  await expect(client.tasks.delete('')).rejects.toThrow('An id is missing');
  expect(sent).toEqual([]);
});

function reasonOf(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    signal.addEventListener('abort', () => resolve(signal.reason));
  });
}
