import { createHmac, createSign, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { until } from '@claude-cli/shared/testing/until';
import { keyId } from '@claude-cli/shared/tokens';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { exchange, statusesIn } from '../testing/exchange.ts';
import { anId, ask, bearer, secrets, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;

/** Start one gateway for all tests of a block. */
function withGateway(start: () => Promise<TestGateway> = () => startTestGateway()): void {
  beforeAll(async () => {
    gateway = await start();
  });
  beforeEach(() => gateway.reset());
  afterAll(async () => gateway[Symbol.asyncDispose]());
}

describe('a request that two readers could understand differently', () => {
  withGateway();
  const post = `POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`;
  const hidden = 'GET /api/hidden HTTP/1.1\r\nHost: x\r\n\r\n';

  test.each([
    ['two lengths', `${post}Content-Length: 2\r\nContent-Length: ${hidden.length + 2}\r\n\r\n{}${hidden}`],
    ['a length and chunks', `${post}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`],
    ['chunks and a length', `${post}Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n${hidden}`],
    ['an encoding that is no encoding', `${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${hidden}`],
    ['chunked, but not as the last encoding', `${post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${hidden}`],
    ['two encodings', `${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${hidden}`],
    ['a blank before the colon', `${post}Content-Length : 2\r\n\r\n{}${hidden}`],
    ['a line that is folded', `${post}X-Folded: a\r\n b\r\nContent-Length: 2\r\n\r\n{}${hidden}`],
    ['a length with a sign', `${post}Content-Length: +2\r\n\r\n{}${hidden}`],
    ['a length that is no number', `${post}Content-Length: 2 2\r\n\r\n{}${hidden}`],
    ['a chunk whose size is no number', `${post}Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n${hidden}`],
    ['a chunk with more than its size', `${post}Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n${hidden}`],
    ['lines that end with a line feed alone', `${post.replaceAll('\r\n', '\n')}Content-Length: 2\n\n{}${hidden}`],
    ['a zero byte in a header', `${post}X-Zero: a\0b\r\nContent-Length: 2\r\n\r\n{}${hidden}`],
    ['no host', `${post.replace('Host: x\r\n', '')}Content-Length: 2\r\n\r\n{}${hidden}`],
  ])('by %s is refused, and what hides behind it is not answered', async (_, bytes) => {
    const answer = await exchange(
      gateway,
      bytes,
      (text) => text.includes('/api/hidden') || statusesIn(text).length > 1,
    );
    expect(statusesIn(answer)).toEqual([400]);
    expect(gateway.calls).toEqual([]);
  });
});

describe('a WebSocket that is none', () => {
  let realtime: Server;
  let arrived: IncomingMessage[];
  withGateway(async () => {
    realtime = createServer((request, response) => {
      arrived.push(request);
      response.end('plain');
    }).listen(0, '127.0.0.1');
    await once(realtime, 'listening');
    const { port } = realtime.address() as AddressInfo;
    return startTestGateway({ REALTIME_URL: `http://127.0.0.1:${port}` });
  });
  beforeEach(() => {
    arrived = [];
  });
  afterAll(async () => {
    realtime.closeAllConnections();
    await new Promise((resolve) => realtime.close(resolve));
  });

  const upgrade = (line: string, more = '') =>
    `${line} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${more}\r\n`;

  test('opens no way to other addresses of realtime', async () => {
    const lines = [
      '/metrics',
      '/ws',
      '/ws/a/../../metrics',
      '/ws/a%2f..%2f..%2fmetrics/x',
      '/socket.io/../x',
      '//ws/a',
    ];
    for (const path of [...lines, 'http://169.254.169.254/ws/a', `/ws/${'a'.repeat(200)}`]) {
      const answer = await exchange(gateway, upgrade(`GET ${path}`));
      expect([path, statusesIn(answer)]).toEqual([path, [404]]);
    }
    expect(arrived).toEqual([]);
  });

  test('that realtime answers as plain HTTP carries no second request to it', async () => {
    // A proxy that took the answer for a switch of protocols would pass on what follows as it is.
    const second = 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n';
    await exchange(gateway, upgrade('GET /ws/session-1', 'Sec-WebSocket-Version: 777\r\n') + second, (text) =>
      text.includes('}'),
    );
    await until('realtime to have been asked', () => arrived.length > 0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(arrived.map(({ url }) => url)).toEqual(['/ws/session-1']);
  });

  test.each(['POST', 'PUT', 'DELETE'])(
    'and comes by %s carries no body to realtime as another request',
    async (method) => {
      const hidden = 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n';
      const bytes = upgrade(`${method} /ws/session-1`, `Content-Length: ${hidden.length}\r\n`) + hidden;
      const answer = await exchange(gateway, bytes, (text) => text.includes('}'));
      expect(statusesIn(answer)).toEqual([405]);
      expect(arrived).toEqual([]);
    },
  );
});

describe('a body that inflates', () => {
  withGateway(() => startTestGateway({ BODY_LIMIT_BYTES: '100000' }));
  test.each<[string, (bytes: Buffer) => Buffer]>([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ])('by %s to more than the limit is refused, however small it came', async (encoding, compress) => {
    const bomb = compress(Buffer.alloc(50_000_000, ' '));
    expect(bomb.length).toBeLessThan(100_000);
    const headers = { 'content-encoding': encoding };
    const { status, json } = await ask(gateway, 'POST', '/api/tasks/', { body: new Uint8Array(bomb), headers });
    expect([status, json.error.code]).toEqual([413, 'REQUEST_TOO_LARGE']);
  });

  test('twice is refused', async () => {
    const body = new Uint8Array(gzipSync(gzipSync('{}')));
    const { status } = await ask(gateway, 'POST', '/api/tasks/', {
      body,
      headers: { 'content-encoding': 'gzip, gzip' },
    });
    expect(status).toBe(415);
  });
});

describe('a caller who is slow on purpose', () => {
  const patience = { headersTimeout: 300, requestTimeout: 600, connectionsCheckingInterval: 50 };
  withGateway(() => startTestGateway({}, { patience }));

  test.each([
    ['a header', 'GET /api/health HTTP/1.1\r\nHost: x\r\nX-Slow: '],
    [
      'a body',
      'POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n',
    ],
  ])('with %s is cut off, though each byte comes in time', async (_, start) => {
    const socket = connect(gateway.port, '127.0.0.1');
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      answer += chunk;
    });
    const closed = once(
      socket.on('error', () => {}),
      'close',
    );
    socket.write(start);
    const drip = setInterval(() => socket.write('x'), 20);
    await closed;
    clearInterval(drip);
    expect(answer).toMatch(/^HTTP\/1.1 408 /);
    expect(answer).toContain('REQUEST_MALFORMED');
  });
});

describe('a token that is tampered with', () => {
  withGateway();
  const [secret = ''] = secrets;
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = part({ sub: anId, username: 'eve', role: 'admin', jti: 'x', ver: 0, exp: 9e9 });
  const hmac = (header: object, key: string, algorithm = 'sha256') => {
    const signed = `${part(header)}.${claims}`;
    return `${signed}.${createHmac(algorithm, key).update(signed).digest('base64url')}`;
  };
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const rs256 = () => {
    const signed = `${part({ alg: 'RS256', kid: keyId(secret) })}.${claims}`;
    return `${signed}.${createSign('sha256').update(signed).sign(rsa.privateKey, 'base64url')}`;
  };
  const kid = keyId(secret);

  test.each<[string, () => string]>([
    ['another algorithm of the same key', () => hmac({ alg: 'HS512', kid }, secret, 'sha512')],
    ['a signature of a key pair', rs256],
    [
      'a public key as the secret',
      () => hmac({ alg: 'HS256', kid }, rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString()),
    ],
    ['an empty secret', () => hmac({ alg: 'HS256', kid: keyId('') }, '-')],
    ['the id of its key as the secret', () => hmac({ alg: 'HS256', kid }, kid)],
    ['a file as its key', () => hmac({ alg: 'HS256', kid: '../../../../dev/null' }, '-')],
    ['a query as its key', () => hmac({ alg: 'HS256', kid: "x' UNION SELECT 'k" }, 'k')],
    ['a list of keys', () => hmac({ alg: 'HS256', kid: [kid] }, '-')],
    ['a property of objects as its key', () => hmac({ alg: 'HS256', kid: '__proto__' }, '[object Object]')],
    ['a key that it brings along', () => hmac({ alg: 'HS256', jwk: { kty: 'oct', k: 'a2V5' }, kid: 'own' }, 'key')],
    ['the address of its key', () => hmac({ alg: 'HS256', jku: 'https://evil.example/keys', kid: 'own' }, 'key')],
    ['no key', () => hmac({ alg: 'HS256' }, secret)],
    ['two dots more', () => `${hmac({ alg: 'HS256', kid }, secret)}..`],
    ['the algorithm None', () => `${part({ alg: 'None', kid })}.${claims}.`],
  ])('by %s is not believed', async (_, token) => {
    const headers = { authorization: `Bearer ${token()}` };
    const { status, json } = await ask(gateway, 'GET', '/api/tasks/', { anonymous: true, headers });
    expect([status, json.error.code]).toEqual([401, 'AUTH_TOKEN_INVALID']);
    expect(gateway.calls).toEqual([]);
  });

  test('is believed with the right key, which shows that the others were read', async () => {
    const headers = { authorization: `Bearer ${hmac({ alg: 'HS256', kid }, secret)}` };
    expect((await ask(gateway, 'GET', '/api/tasks/', { anonymous: true, headers })).status).toBe(200);
  });
});

test('objects of this process are not changed by what is sent', async () => {
  gateway = await startTestGateway();
  await using _ = gateway;
  const bodies = [
    '{"title":"x","__proto__":{"polluted":1}}',
    '{"title":"x","constructor":{"prototype":{"polluted":1}}}',
    '{"title":"x","metadata":{"__proto__":{"polluted":1}}}',
    '{"title":"x","metadata":{"a":{"constructor":{"prototype":{"polluted":1}}}}}',
  ];
  for (const body of bodies) await ask(gateway, 'POST', '/api/tasks/', { body });
  for (const query of ['__proto__[polluted]=1', 'constructor[prototype][polluted]=1', '__proto__.polluted=1']) {
    await ask(gateway, 'GET', `/api/tasks/?${query}`);
  }
  await ask(gateway, 'GET', '/api/tasks/', { headers: { __proto__polluted: '1', authorization: bearer() } });
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  expect(Object.keys(Object.prototype)).toEqual([]);
});
