import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newAuthority } from './testing/certificates.ts';
import { type TestEnvironment, testEnvironment } from './testing/environment.ts';
import { freePort } from './testing/free-port.ts';
import { until } from './testing/until.ts';

const redisIsThere = spawnSync('redis-server', ['--version']).status === 0;
if (!redisIsThere) process.stderr.write('no redis-server on this machine: TLS to Redis is not tested\n');

const authority = newAuthority();
const directory = mkdtempSync(join(tmpdir(), 'authority-'));
const caFile = join(directory, 'ca.crt');
const script = fileURLToPath(new URL('./testing/connect.ts', import.meta.url));

let environment: TestEnvironment;
let stack: AsyncDisposableStack;
beforeAll(() => {
  writeFileSync(caFile, authority.ca);
  stack = new AsyncDisposableStack();
  environment = stack.use(testEnvironment());
});
afterAll(async () => {
  await stack.disposeAsync();
  rmSync(directory, { recursive: true });
});

/** A door with a certificate of the authority before a server that has none. @returns its port */
async function withTls(to: URL, defaultPort: number): Promise<number> {
  const server = createServer(authority.certify(), (client) => {
    const upstream = connect(Number(to.port || defaultPort), to.hostname);
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
    client.pipe(upstream).pipe(client);
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stack.defer(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** What a process says that connects by the settings of services. @param env on top of what a process needs */
function connecting(env: Record<string, string>): Promise<{ code: unknown; said: string }> {
  return new Promise((resolve) => {
    const options = { env: { PATH: process.env.PATH, ...env }, timeout: 60_000 };
    execFile(process.execPath, [script], options, (error, stdout, stderr) =>
      resolve({ code: error ? (error.code ?? error.signal) : 0, said: stdout + stderr }),
    );
  });
}

async function redisSettings(): Promise<Record<string, string>> {
  const port = await freePort();
  const redis = spawn('redis-server', ['--port', `${port}`, '--bind', '127.0.0.1', '--save', ''], { stdio: 'ignore' });
  stack.defer(() => void redis.kill('SIGKILL'));
  await until('Redis to listen', () => isListening(port));
  return { REDIS_URL: `rediss://localhost:${await withTls(new URL(`redis://127.0.0.1:${port}`), port)}` };
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const connected = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return connected;
}

describe.each([
  {
    what: 'RabbitMQ by amqps://',
    settings: async () => {
      const url = new URL(environment.env.AMQP_URL ?? '');
      const port = await withTls(url, 5672);
      return {
        AMQP_URL: `amqps://${url.username}:${url.password}@localhost:${port}${url.pathname}`,
        AMQP_PREFIX: 'tls',
      };
    },
  },
  {
    what: 'MongoDB by tls=true',
    settings: async () => {
      const url = new URL(environment.env.MONGODB_URI ?? '');
      const port = await withTls(url, 27017);
      return { MONGODB_URI: `mongodb://localhost:${port}${url.pathname}?tls=true&directConnection=true` };
    },
  },
  ...(redisIsThere ? [{ what: 'Redis by rediss://', settings: redisSettings }] : []),
])('$what', ({ settings }) => {
  test('is connected to when NODE_EXTRA_CA_CERTS names the authority, and refused without it', async () => {
    const env = await settings();
    expect(await connecting({ ...env, NODE_EXTRA_CA_CERTS: caFile })).toEqual({ code: 0, said: 'connected\n' });
    const refused = await connecting(env);
    expect(refused.code).not.toBe(0);
    expect(refused.said).toMatch(/unable to (verify|get)|self.signed|certificate/i);
  });
});
