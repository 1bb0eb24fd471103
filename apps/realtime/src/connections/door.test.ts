import { once } from 'node:events';
import { connect } from 'node:net';
import { DiagnosticsServiceService } from '@claude-cli/proto/platform/v1/system';
import { serviceCaller } from '@claude-cli/shared/caller';
import { testChannel } from '@claude-cli/shared/testing/channel';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Client } from '../testing/client.ts';
import { Platform } from '../testing/platform.ts';

let platform: Platform;
beforeAll(async () => {
  platform = await Platform.start({ pingMs: 100, closeMs: 300 });
});
afterAll(() => platform[Symbol.asyncDispose]());

test('the diagnosis tells how many are connected and how quickly they answer', async () => {
  const client = await platform.signIn(platform.user());
  const channel = testChannel(platform.service.grpcPort);
  const origin = { caller: serviceCaller('test'), requestId: 'test' };
  const diagnose = () => channel.client(DiagnosticsServiceService).diagnose({}, origin);
  await until('a latency to be measured', () => platform.service.ctx.connections.meanLatency !== 0);
  const { broker, websocket } = await diagnose();
  expect(broker?.status).toBe('healthy');
  expect(websocket).toMatchObject({ status: 'healthy', active_connections: 1 });
  expect(websocket?.avg_latency).toBeGreaterThan(0);
  channel.close();
  client.socket.terminate();
});

test('a client that does not answer pings is cut', async () => {
  const dead = await platform.signIn(platform.user());
  dead.socket.pause();
  const { connections } = platform.service.ctx;
  await until('all connections to be gone', () => connections.size === 0);
  dead.socket.resume();
  expect(await dead.closed).toBe(1006);
});

test('a service that stops closes its connections with 1012 and says when to come back, and cuts those that do not agree', async () => {
  const stopping = await Platform.start({ closeMs: 300 });
  const user = stopping.user();
  const [polite, stuck] = [await stopping.signIn(user), await stopping.signIn(user)];
  stuck.socket.pause();
  const stopped = stopping[Symbol.asyncDispose]();
  expect(await polite.closed).toBe(1012);
  const { retry_after_ms, reason } = JSON.parse(polite.reason);
  expect(reason).toBe('restart');
  expect(retry_after_ms).toBeGreaterThanOrEqual(200);
  expect(retry_after_ms).toBeLessThanOrEqual(3_200);
  await stopped;
  expect(stopping.service.ctx.connections.size).toBe(0);
  stuck.socket.terminate();
});

test('a connection that was refused is gone, whatever its client does, and holds up no stop', async () => {
  await using stopping = await Platform.start();
  const client = connect({ port: stopping.service.ctx.port, host: '127.0.0.1', allowHalfOpen: true });
  client.write('GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
  const [answer] = await once(client, 'data');
  expect(String(answer)).toMatch(/^HTTP\/1\.1 404 /);
  // It keeps its own half open.
  await stopping[Symbol.asyncDispose]();
  client.destroy();
});

test('a process that is full refuses further connections before they are open', async () => {
  await using full = await Platform.start({ connections: 1 });
  const user = full.user();
  await full.signIn(user);
  const refused = new Client(full.url(user.session));
  const [, response] = await once(refused.socket, 'unexpected-response');
  expect(response.statusCode).toBe(503);
  response.destroy();
});
