import { connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { anId, ask, bearer, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
afterEach(async () => gateway[Symbol.asyncDispose]());

/** What the gateway answers to some bytes, until it closes the connection. */
function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.setEncoding('utf8').on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('error', reject).on('close', () => resolve(answer));
  });
}

describe('a service that', () => {
  test('is not there is answered with 503', async () => {
    gateway = await startTestGateway();
    await gateway.stopServices();
    for (const method of ['GET', 'DELETE']) {
      const { status, headers, json } = await ask(gateway, method, `/api/tasks/${anId}`);
      expect([status, json.error.code]).toEqual([503, 'SERVICE_UNAVAILABLE']);
      expect(headers.get('retry-after')).toBe('1');
    }
  });

  test('accepts connections but never speaks is answered with 502 within the deadline', async () => {
    const connections: Socket[] = [];
    await using silent = createServer((socket) => void connections.push(socket.on('error', () => {})));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    if (typeof address !== 'object') throw new Error('not listening');
    gateway = await startTestGateway({}, { address: `127.0.0.1:${address?.port}`, deadlineMs: 300 });
    const started = performance.now();
    const { status, json } = await ask(gateway, 'GET', `/api/tasks/${anId}`);
    expect([status, json.error.code]).toEqual([502, 'UPSTREAM_ERROR']);
    // Far below the ten seconds that there are without it.
    expect(performance.now() - started).toBeLessThan(8_000);
    for (const socket of connections) socket.destroy();
  });

  test('is too slow is answered with 502, and learns that nobody waits any more', async () => {
    gateway = await startTestGateway({}, { deadlineMs: 200 });
    const gone = new Promise((resolve) => {
      gateway.answers.set('TaskService.getTask', async (_request, call) => {
        call.signal?.addEventListener('abort', resolve);
        await new Promise(() => {});
      });
    });
    const { status, json } = await ask(gateway, 'GET', `/api/tasks/${anId}`);
    expect([status, json.error.code]).toEqual([502, 'UPSTREAM_ERROR']);
    await gone;
  });
});

describe('a client that', () => {
  test('leaves takes its call along', async () => {
    gateway = await startTestGateway();
    const leave = new AbortController();
    const gone = new Promise((resolve) => {
      gateway.answers.set('TaskService.getTask', async (_request, call) => {
        call.signal?.addEventListener('abort', resolve);
        leave.abort();
        await new Promise(() => {});
      });
    });
    const request = fetch(`${gateway.url}/api/tasks/${anId}`, {
      headers: { authorization: bearer() },
      signal: leave.signal,
    });
    await expect(request).rejects.toThrow(/abort/);
    await gone;
  });

  test('does not speak HTTP is answered in the envelope and hung up on', async () => {
    gateway = await startTestGateway();
    const answer = await exchange(gateway.port, 'hello\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1.1 400 Bad Request\r\n/);
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({ error: { code: 'REQUEST_MALFORMED' } });
  });

  test('offers another protocol than WebSocket is answered over HTTP', async () => {
    gateway = await startTestGateway();
    const offer = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n';
    const answer = await exchange(gateway.port, `GET /api/health HTTP/1.0\r\nHost: x\r\n${offer}\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  });

  test('sends more header than is read is answered with 431', async () => {
    gateway = await startTestGateway();
    const answer = await exchange(gateway.port, `GET / HTTP/1.1\r\nhost: x\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 431 /);
  });
});

describe('a gateway that stops', () => {
  test('finishes the request in flight, and accepts no new one', async () => {
    gateway = await startTestGateway();
    let finish: (answer: object) => void = () => {};
    const arrived = new Promise<void>((resolve) => {
      gateway.answers.set('TaskService.getTask', () => {
        resolve();
        return new Promise((answer) => {
          finish = answer;
        });
      });
    });
    const pending = ask(gateway, 'GET', `/api/tasks/${anId}`);
    await arrived;
    const stopped = gateway[Symbol.asyncDispose]();
    await expect(fetch(`${gateway.url}/api/health`)).rejects.toThrow();
    finish({ title: 'Done' });
    const { status, json, headers } = await pending;
    expect([status, json.data.title, headers.get('connection')]).toEqual([200, 'Done', 'close']);
    await stopped;
  });
});
