import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { LiveEvent } from '@claude-cli/proto/platform/v1/live';
import { PlatformError } from '@claude-cli/shared/errors';
import { createLogger } from '@claude-cli/shared/logger';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { Response as ExpressResponse } from 'express';
import { anId, ask, bearer, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';
import { EventStreams } from './event-streams.ts';

const path = `/api/commands/${anId}/stream`;
let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(async () => gateway[Symbol.asyncDispose]());
beforeEach(() => gateway.reset());

const event = (seq: number, data = `{"n":${seq}}`): LiveEvent => ({ id: `e:${seq}`, event: 'command_output', data });

function answer(events: (signal: AbortSignal | undefined) => AsyncIterable<LiveEvent>): void {
  gateway.answers.set('LiveService.streamCommand', (_request, { signal }) => events(signal));
}

/** What comes until the stream ends, without the pause that the client is told. */
async function textOf(response: Response): Promise<string> {
  return (await response.text()).replace(/^retry: \d+\n\n/, '');
}

function open(init: RequestInit = {}): Promise<Response> {
  return fetch(gateway.url + path, { ...init, headers: { authorization: bearer(), ...init.headers } });
}

async function* endless(signal: AbortSignal | undefined): AsyncGenerator<LiveEvent> {
  yield event(1);
  await once(signal as AbortSignal, 'abort');
}

test('events come as server-sent events, with what to go on after', async () => {
  answer(async function* () {
    yield event(1);
    yield { event: 'command_finished', data: '{}' };
  });
  const response = await open();
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(response.headers.get('x-ratelimit-limit')).not.toBeNull();
  expect(await textOf(response)).toBe(
    'id: e:1\nevent: command_output\ndata: {"n":1}\n\nevent: command_finished\ndata: {}\n\n',
  );
});

test('a client that comes back says what it had, by header before query', async () => {
  await (await open({ headers: { 'last-event-id': 'e:7' } })).text();
  await (await fetch(`${gateway.url}${path}?since=e:3`, { headers: { authorization: bearer() } })).text();
  const both = { authorization: bearer(), 'last-event-id': 'e:9' };
  await (await fetch(`${gateway.url}${path}?since=e:3`, { headers: both })).text();
  expect(gateway.calls.map(({ request }) => request.since)).toEqual(['e:7', 'e:3', 'e:9']);
});

test('a Last-Event-ID that is none of ours is refused', async () => {
  const response = await open({ headers: { 'last-event-id': 'nonsense' } });
  expect(response.status).toBe(422);
  expect(((await response.json()) as { error: unknown }).error).toMatchObject({ details: { field: 'since' } });
});

test('what the owner refuses is told in the envelope, before a stream begins', async () => {
  gateway.answers.set('LiveService.streamCommand', () => {
    throw new PlatformError('RESOURCE_NOT_FOUND', 'There is no such command');
  });
  const { status, json } = await ask(gateway, 'GET', path);
  expect([status, json.error.code]).toEqual([404, 'RESOURCE_NOT_FOUND']);
});

test('nobody listens without having signed in', async () => {
  const { status, json } = await ask(gateway, 'GET', path, { anonymous: true });
  expect([status, json.error.code]).toEqual([401, 'AUTH_TOKEN_MISSING']);
});

test('the owner hears when the caller has gone', async () => {
  answer(endless);
  const leave = new AbortController();
  const response = await open({ signal: leave.signal });
  await response.body?.getReader().read();
  leave.abort();
  await until('the owner to hear of it', () => gateway.calls.at(-1)?.call.signal?.aborted);
});

test('a stream that breaks off at the owner ends', async () => {
  answer(async function* () {
    yield event(1);
    throw new PlatformError('SERVICE_UNAVAILABLE', 'gone');
  });
  expect(await textOf(await open())).toBe('id: e:1\nevent: command_output\ndata: {"n":1}\n\n');
});

test('a caller who does not read makes the owner wait', async () => {
  let sent = 0;
  answer(async function* (signal) {
    for (; sent < 100_000 && !signal?.aborted; sent++) yield event(sent, 'x'.repeat(1_000));
  });
  const stalled = request(gateway.url + path, { headers: { authorization: bearer() } }).end();
  const [response] = await once(stalled, 'response');
  response.pause();
  let before = -1;
  await until('the owner to pause', () => {
    const paused = sent > 0 && sent === before;
    before = sent;
    return paused;
  });
  expect(sent).toBeLessThan(50_000);
  stalled.destroy();
});

test('a caller who reads nothing for long is cut off', async () => {
  const streams = new EventStreams(createLogger('test', 'silent'), { stalledMs: 100 });
  const ended = Promise.withResolvers<void>();
  const server = createServer((_request, response) => {
    const endlessly = async function* () {
      for (;;) yield event(1, 'x'.repeat(100_000));
    };
    const signal = streams.admit(response as ExpressResponse);
    void streams.send(response as ExpressResponse, endlessly(), signal).then(ended.resolve);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stalled = request({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' }).end();
  const [response] = (await once(stalled, 'response')) as [IncomingMessage];
  response.pause();
  await ended.promise;
  stalled.on('error', () => {}).destroy();
  await new Promise((resolve) => server.close(resolve));
});

test('HEAD tells of the stream without opening it', async () => {
  const response = await open({ method: 'HEAD' });
  expect(response.status).toBe(200);
  expect(gateway.calls).toEqual([]);
});

test('streams end when the gateway stops, so that it can', async () => {
  const own = await startTestGateway({ SHUTDOWN_GRACE_MS: '60000' });
  own.answers.set('LiveService.streamCommand', (_request, { signal }) => endless(signal));
  const response = await fetch(own.url + path, { headers: { authorization: bearer() } });
  const [text] = await Promise.all([textOf(response), own[Symbol.asyncDispose]()]);
  expect(text).toBe('id: e:1\nevent: command_output\ndata: {"n":1}\n\n');
});
