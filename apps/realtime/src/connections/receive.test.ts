import { newId } from '@claude-cli/shared/ids';
import { metricOf } from '@claude-cli/shared/testing/metric';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from '../testing/client.ts';
import { Platform } from '../testing/platform.ts';

let platform: Platform;
let client: Client;
beforeAll(async () => {
  platform = await Platform.start();
  client = await platform.signIn(platform.user());
});
afterAll(() => platform[Symbol.asyncDispose]());

async function issueOf(text: string): Promise<unknown> {
  client.socket.send(text);
  const { type, data, timestamp } = await client.next();
  expect(type).toBe('error');
  expect(timestamp).toEqual(expect.any(String));
  expect(Object.keys(data)).toEqual(['code', 'message', 'details']);
  return [data.code, (data.details as Record<string, unknown>).field];
}

test('a wrong message is answered with its field and what is wrong with it, and the connection stays open', async () => {
  const id = newId();
  const subscribe = { type: 'subscribe', channel: 'command_output' };
  expect(await issueOf('{"type":')).toEqual(['VALIDATION_INVALID_FORMAT', 'message']);
  expect(await issueOf('[1]')).toEqual(['VALIDATION_INVALID_FORMAT', 'message']);
  expect(await issueOf('{}')).toEqual(['VALIDATION_REQUIRED_FIELD', 'type']);
  expect(await issueOf('{"type":"dance"}')).toEqual(['VALIDATION_ERROR', 'type']);
  expect(await issueOf('{"type":"constructor"}')).toEqual(['VALIDATION_ERROR', 'type']);
  expect(await issueOf('{"type":"ping"}')).toEqual(['VALIDATION_REQUIRED_FIELD', 'timestamp']);
  expect(await issueOf('{"type":"ping","timestamp":"now"}')).toEqual(['VALIDATION_INVALID_FORMAT', 'timestamp']);
  expect(await issueOf('{"type":"authenticate"}')).toEqual(['VALIDATION_REQUIRED_FIELD', 'token']);
  expect(await issueOf(JSON.stringify({ type: 'authenticate', token: 'x'.repeat(9000) }))).toEqual([
    'VALIDATION_VALUE_TOO_LONG',
    'token',
  ]);
  expect(await issueOf(JSON.stringify({ type: 'subscribe', channel: 'weather', project_id: id }))).toEqual([
    'VALIDATION_ERROR',
    'channel',
  ]);
  expect(await issueOf(JSON.stringify({ ...subscribe, task_id: 'x' }))).toEqual([
    'VALIDATION_INVALID_FORMAT',
    'task_id',
  ]);
  expect(await issueOf(JSON.stringify(subscribe))).toEqual(['VALIDATION_REQUIRED_FIELD', 'command_id']);
  expect(await issueOf(JSON.stringify({ ...subscribe, task_id: id, project_id: id }))).toEqual([
    'VALIDATION_ERROR',
    'task_id',
  ]);
  expect(await issueOf(JSON.stringify({ type: 'subscribe', channel: 'project_updates', task_id: id }))).toEqual([
    'VALIDATION_ERROR',
    'task_id',
  ]);
  expect(await issueOf(JSON.stringify({ type: 'execute_task', task_id: id, prority: 'high' }))).toEqual([
    'VALIDATION_ERROR',
    'prority',
  ]);
  expect(await issueOf(JSON.stringify({ type: 'execute_task', task_id: id, options: { timeout: 0 } }))).toEqual([
    'VALIDATION_ERROR',
    'options.timeout',
  ]);
});

test('the request id is echoed in answers, errors and pongs', async () => {
  client.send({ type: 'ping', timestamp: 5, request_id: 'a' });
  expect(await client.next()).toEqual({ type: 'pong', timestamp: 5, request_id: 'a' });
  client.send({ type: 'dance', request_id: 'b' });
  expect(await client.next()).toMatchObject({ type: 'error', request_id: 'b' });
  client.send({ type: 'ping', timestamp: 5, request_id: 'x'.repeat(129) });
  expect(await client.next()).toMatchObject({ type: 'error', data: { code: 'VALIDATION_VALUE_TOO_LONG' } });
});

test('a binary message is refused', async () => {
  client.socket.send(Buffer.from('{"type":"ping","timestamp":1}'), { binary: true });
  expect((await client.next()).data.code).toBe('VALIDATION_INVALID_FORMAT');
});

test('a message above 64 KiB closes the connection with 1009', async () => {
  const sender = await platform.signIn(platform.user());
  sender.send({ type: 'ping', timestamp: 1, request_id: 'x'.repeat(65_536) });
  expect(await sender.closed).toBe(1009);
});

test('a flood is first refused, then closed with 4429', async () => {
  const sender = await platform.signIn(platform.user());
  for (let timestamp = 0; timestamp < 1_000; timestamp++) sender.send({ type: 'ping', timestamp });
  expect((await sender.next('error')).data).toMatchObject({
    code: 'RATE_LIMIT_EXCEEDED',
    details: { limit: 50, window: 1 },
  });
  expect(await sender.closed).toBe(4429);
});

test('a service that cannot be reached is an error and the connection stays open', async () => {
  await using alone = await Platform.start();
  const sender = await alone.signIn(alone.user());
  await alone.stubs.stop(0);
  const answer = await sender.ask({ type: 'subscribe', channel: 'task_updates', task_id: newId() });
  expect(answer).toMatchObject({ type: 'error', data: { code: 'SERVICE_UNAVAILABLE' } });
  expect(await sender.settled()).toEqual([]);
});

test('what is asked for by messages is measured by its type and how it ended', async () => {
  const counted = (type: string, code: string) => metricOf('live_request_duration_seconds', { type, code, le: '+Inf' });
  const refused = await counted('subscribe', 'PROJECT_ACCESS_DENIED');
  const user = platform.user();
  const own = await platform.signIn(user);
  own.send({ type: 'subscribe', channel: 'task_updates', project_id: platform.project(platform.user()) });
  expect((await own.next()).type).toBe('error');
  expect(await counted('subscribe', 'PROJECT_ACCESS_DENIED')).toBe(refused + 1);
  expect(await counted('authenticate', 'OK')).toBeGreaterThan(0);
});
