import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { createLogger } from '@claude-cli/shared/logger';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { WebSocket, WebSocketServer } from 'ws';
import type { GatewayContext } from '../context.ts';
import { ask, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';
import { createWebsocketProxy } from './websocket-proxy.ts';

let realtime: Server;
let sockets: WebSocketServer;
let gateway: TestGateway;

beforeEach(async () => {
  realtime = createServer();
  sockets = new WebSocketServer({ server: realtime });
  realtime.listen(0, '127.0.0.1');
  await once(realtime, 'listening');
  gateway = await startTestGateway({ REALTIME_URL: `http://127.0.0.1:${(realtime.address() as AddressInfo).port}` });
});

afterEach(async () => {
  await gateway[Symbol.asyncDispose]();
  for (const client of sockets.clients) client.terminate();
  await new Promise((resolve) => realtime.close(resolve));
});

const open = (path: string, headers: Record<string, string> = {}) =>
  new WebSocket(`ws://127.0.0.1:${gateway.port}${path}`, { headers });

/** Status and body that an upgrade was refused with. */
async function refusal(socket: WebSocket) {
  const [, response] = (await once(
    socket.on('error', () => {}),
    'unexpected-response',
  )) as [unknown, IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return { status: response.statusCode, headers: response.headers, json: JSON.parse(text) };
}

describe('a WebSocket through the gateway', () => {
  test('carries messages both ways, of any size, and its close', async () => {
    sockets.on('connection', (peer) => peer.on('message', (data, binary) => peer.send(data, { binary })));
    const socket = open('/ws/session-1');
    await once(socket, 'open');
    for (const text of ['{"type":"ping"}', 'x'.repeat(1_000_000)]) {
      socket.send(text);
      expect(String((await once(socket, 'message'))[0])).toBe(text);
    }
    const [peer] = sockets.clients;
    const closed = once(socket, 'close');
    peer?.close(4401, 'not authenticated');
    const [code, reason] = await closed;
    expect([code, String(reason)]).toEqual([4401, 'not authenticated']);
  });

  test('arrives with its path and with honest headers', async () => {
    const arrived = once(sockets, 'connection');
    const socket = open('/ws/session-1?resume=7', {
      'x-forwarded-for': '1.2.3.4',
      'x-forwarded-host': 'evil',
      forwarded: 'for=1.2.3.4',
    });
    const [, request] = (await arrived) as [unknown, IncomingMessage];
    expect(request.url).toBe('/ws/session-1?resume=7');
    expect(request.headers).toMatchObject({
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'ws',
      'x-request-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(request.headers).not.toHaveProperty('forwarded');
    expect(request.headers).not.toHaveProperty('x-forwarded-host');
    await once(socket, 'open');
    socket.terminate();
  });

  test('of Socket.IO arrives with what it asks for', async () => {
    const arrived = once(sockets, 'connection');
    const socket = open('/socket.io/?EIO=4&transport=websocket');
    const [, request] = (await arrived) as [unknown, IncomingMessage];
    expect(request.url).toBe('/socket.io/?EIO=4&transport=websocket');
    await once(socket, 'open');
    socket.terminate();
  });

  test('ends when realtime dies', async () => {
    const socket = open('/ws/session-1');
    await once(socket, 'open');
    const closed = once(socket, 'close');
    for (const client of sockets.clients) client.terminate();
    expect((await closed)[0]).toBe(1006);
  });

  test('ends when the gateway stops, even if the client holds on', async () => {
    const socket = open('/ws/session-1');
    await once(socket, 'open');
    const closed = once(socket, 'close');
    socket.pause();
    await gateway[Symbol.asyncDispose]();
    socket.resume();
    await closed;
  });

  test('is refused in the envelope when realtime refuses or is not there', async () => {
    sockets.close();
    realtime.removeAllListeners('upgrade');
    realtime.on('upgrade', (_request, socket) => socket.destroy());
    const refused = await refusal(open('/ws/session-1', { 'x-request-id': 'mine' }));
    expect([refused.status, refused.json.error.code]).toEqual([502, 'WEBSOCKET_CONNECTION_FAILED']);
    expect([refused.headers['x-request-id'], refused.json.meta.request_id]).toEqual(['mine', 'mine']);
    realtime.closeAllConnections();
    await new Promise((resolve) => realtime.close(resolve));
    const { status, json } = await refusal(open('/ws/session-1'));
    expect([status, json.error.code]).toEqual([503, 'SERVICE_UNAVAILABLE']);
  });

  test('is refused in the envelope when realtime is silent', async () => {
    const unanswered: Duplex[] = [];
    realtime.removeAllListeners('upgrade').on('upgrade', (_request, socket) => void unanswered.push(socket));
    const config = { REALTIME_URL: `http://127.0.0.1:${(realtime.address() as AddressInfo).port}` };
    const proxy = createWebsocketProxy({ config, log: createLogger('test', 'silent') } as GatewayContext, 100);
    const server = createServer().on('upgrade', proxy.upgrade).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { status, json } = await refusal(
      new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws/a`),
    );
    expect([status, json.error.code]).toEqual([502, 'WEBSOCKET_CONNECTION_FAILED']);
    proxy.close();
    for (const socket of unanswered) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  test.each(['/socket.io', '/socket.io/a?EIO=4', '/ws', '/ws/', '/ws/a/b', '/ws/../admin', '/other'])(
    'is refused at %s',
    async (path) => {
      const { status, json } = await refusal(open(path));
      expect([status, json.error.code]).toEqual([404, 'RESOURCE_NOT_FOUND']);
    },
  );
});

test('plain HTTP at the address of WebSockets is told to upgrade', async () => {
  for (const path of ['/ws/session-1', '/socket.io/?EIO=4&transport=polling']) {
    const { status, headers, json } = await ask(gateway, 'GET', path);
    expect([status, headers.get('upgrade'), json.error.code]).toEqual([
      426,
      'websocket',
      'WEBSOCKET_CONNECTION_FAILED',
    ]);
  }
});
