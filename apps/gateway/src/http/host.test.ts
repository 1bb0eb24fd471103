import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { exchange, statusesIn } from '../testing/exchange.ts';
import { anId, bearer, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let realtime: Server;
let arrived: IncomingMessage[];
let gateway: TestGateway;

beforeAll(async () => {
  realtime = createServer((request, response) => {
    arrived.push(request);
    response.end();
  });
  realtime.on('upgrade', (request, socket) => {
    arrived.push(request);
    socket.end('HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n\r\n');
  });
  realtime.listen(0, '127.0.0.1');
  await once(realtime, 'listening');
  gateway = await startTestGateway({ REALTIME_URL: `http://127.0.0.1:${(realtime.address() as AddressInfo).port}` });
});
beforeEach(() => {
  gateway.reset();
  arrived = [];
});
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  realtime.closeAllConnections();
  await new Promise((resolve) => realtime.close(resolve));
});

// Each is put in the place of the line that names the host.
const wrongHosts: [string, string][] = [
  ['two hosts', 'Host: a\r\nHost: b\r\n'],
  ['the same host twice', 'Host: a\r\nhost: a\r\n'],
  ['two hosts in one line', 'Host: a, b\r\n'],
  ['no host', ''],
  ['an empty host', 'Host:\r\n'],
  ['a host with a path', 'Host: a/b\r\n'],
  ['a host with a user', 'Host: a@b\r\n'],
  ['a host with a blank', 'Host: a b\r\n'],
  ['a host with a byte that is no character', 'Host: a\xffb\r\n'],
  ['a host with a broken escape', 'Host: a%2\r\n'],
  ['a host with something in brackets', 'Host: [a]\r\n'],
  ['a host with brackets that hold too little', 'Host: [1:2]\r\n'],
  ['a host with a port that is none', 'Host: a:b\r\n'],
  ['a host with two ports', 'Host: a:1:2\r\n'],
];

describe('a request whose host two readers could understand differently', () => {
  const hidden = () => `GET /api/projects/ HTTP/1.1\r\nHost: x\r\nAuthorization: ${bearer()}\r\n\r\n`;
  const ofMany = (answer: string) => statusesIn(answer).length > 1;

  test.each(wrongHosts)('by %s is refused, a stream as well, and nothing behind it is done', async (_, host) => {
    for (const path of ['/api/projects/', `/api/commands/${anId}/stream`]) {
      const request = `GET ${path} HTTP/1.1\r\n${host}Authorization: ${bearer()}\r\nX-Request-ID: mine\r\n\r\n`;
      const answer = await exchange(gateway, request + hidden(), ofMany);
      expect(statusesIn(answer)).toEqual([400]);
      expect(answer).toMatch(/"code":"REQUEST_MALFORMED".*"request_id":"mine"/);
    }
    expect(gateway.calls).toEqual([]);
  });

  test.each(['x', 'x.example:8000', '_x-y.example.', 'x:', '127.0.0.1', '[::1]:8000', '[::ffff:127.0.0.1]', 'a%2Db'])(
    'is none: %s',
    async (host) => {
      const answer = await exchange(gateway, hidden().replace('Host: x', `Host: ${host}\r\nConnection: close`));
      expect(statusesIn(answer)).toEqual([200]);
    },
  );

  test('is none without a host where HTTP knew of no hosts', async () => {
    expect(statusesIn(await exchange(gateway, 'GET /api/health HTTP/1.0\r\n\r\n'))).toEqual([200]);
  });
});

describe('a WebSocket whose host two readers could understand differently', () => {
  const upgrade = (path: string, host = 'Host: x\r\n') =>
    `GET ${path} HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
  const paths = ['/ws/session-1', '/socket.io/?EIO=4&transport=websocket'];

  test.each(wrongHosts)('by %s is refused, and neither it nor one behind it reaches realtime', async (_, host) => {
    for (const path of paths) {
      const wrong = upgrade(path, host);
      const plain = `GET /api/health HTTP/1.1\r\n${host}\r\n`;
      for (const bytes of [wrong, wrong + upgrade(path), plain + upgrade(path)]) {
        const answer = await exchange(gateway, bytes);
        expect(statusesIn(answer)).toEqual([400]);
        expect(answer).toContain('"code":"REQUEST_MALFORMED"');
      }
    }
    expect(arrived).toEqual([]);
  });

  test('is none: it reaches realtime', async () => {
    for (const path of paths) await exchange(gateway, upgrade(path));
    expect(arrived.map(({ url }) => url)).toEqual(paths);
  });
});
