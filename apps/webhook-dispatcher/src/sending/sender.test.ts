import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { testCertificate } from '../testing/certificate.ts';
import { type Answer, hang, type Receiver, startReceiver, status } from '../testing/receiver.ts';
import { type AddressRule, addressRule } from './addresses.ts';
import { guardedConnector } from './connect.ts';
import { defaultLimits } from './limits.ts';
import type { Resolve } from './resolve.ts';
import { Sender } from './sender.ts';

const ports = [[1, 65535]] as const;
const noName: Resolve = () => Promise.reject(Object.assign(new Error('no 10.0.0.9'), { code: 'ENOTFOUND' }));

function startSender(given: { allows?: AddressRule; resolve?: Resolve; ca?: string; requestMs?: number } = {}): Sender {
  const { allows = addressRule(true), resolve = noName, ca, requestMs = 5_000 } = given;
  const connect = guardedConnector({ resolve, allows, timeoutMs: 2_000, ca });
  return new Sender(connect, { allows, ports }, { ...defaultLimits, requestMs });
}

const post = (sender: Sender, url: string, headers = {}) => sender.post({ url, headers, body: '{"event":"é"}' });

let receiver: Receiver;
let sender: Sender;

beforeEach(async () => {
  receiver = await startReceiver();
  sender = startSender();
});
afterEach(async () => {
  await sender[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
});

describe('a post', () => {
  test('arrives with path, query, headers and the body to the byte', async () => {
    expect(await post(sender, `${receiver.url}/a%20b?x=1&y=%2F#part`, { 'X-Own': 'yes' })).toMatchObject({
      ...{ status_code: 204, fault: null, error: null },
    });
    const [received] = receiver.received;
    expect(received).toMatchObject({ method: 'POST', path: '/hook/a%20b?x=1&y=%2F', body: '{"event":"é"}' });
    expect(received?.headers).toMatchObject({ 'x-own': 'yes', 'content-length': '14' });
  });

  test('goes over connections that are kept', async () => {
    for (let n = 0; n < 20; n++) await post(sender, receiver.url);
    // A connection is free again one turn of the event loop after its answer.
    expect(receiver.connections).toBeLessThanOrEqual(2);
    expect(receiver.received).toHaveLength(20);
  });

  test.each([200, 202, 400, 404, 410, 429, 500, 503])(
    'that is answered %d tells the status and the body',
    async (code) => {
      receiver.answer = status(code, { 'retry-after': '7' }, 'because');
      const error = code < 300 ? null : `answered ${code}`;
      const told = { status_code: code, response: 'because', retryAfterMs: 7_000, error, fault: null };
      expect(await post(sender, receiver.url)).toMatchObject(told);
    },
  );

  test.each([301, 302, 303, 307, 308])('that is redirected by %d goes nowhere else', async (code) => {
    await using elsewhere = await startReceiver();
    receiver.answer = status(code, { location: elsewhere.url });
    expect(await post(sender, receiver.url)).toMatchObject({ status_code: code, error: `answered ${code}` });
    expect(elsewhere.received).toEqual([]);
  });

  test('keeps 4 KB of a body without end, and closes the connection', async () => {
    let closed: Promise<unknown> = Promise.resolve();
    receiver.answer = (response, _request, socket) => {
      closed = new Promise((resolve) => socket.once('close', resolve));
      response.writeHead(200);
      const pour = () => {
        while (!socket.destroyed && response.write('x'.repeat(65_536)));
      };
      response.on('drain', pour);
      pour();
    };
    const { status_code, response } = await post(sender, receiver.url);
    expect({ status_code, length: response.length }).toEqual({ status_code: 200, length: 4_096 });
    await closed;
  });

  test('cuts no character in two', async () => {
    receiver.answer = status(500, {}, `${'x'.repeat(4_095)}é and more`);
    expect((await post(sender, receiver.url)).response).toBe('x'.repeat(4_095));
  });

  test.each<[string, Answer]>([
    ['nothing at all', hang],
    ['its headers byte by byte', (_response, _request, socket) => void dripInto(socket, 'HTTP/1.1 200 OK\r\nX-A: ')],
  ])('that is answered %s ends when its time is up', async (_what, answer) => {
    await using impatient = startSender({ requestMs: 200 });
    receiver.answer = answer;
    const told = { status_code: null, fault: 'timeout', error: 'no answer within 0.2 s' };
    expect(await post(impatient, receiver.url)).toMatchObject(told);
  });

  test('whose answer begins and never ends counts by its status when the time is up', async () => {
    await using impatient = startSender({ requestMs: 200 });
    receiver.answer = (response) => void response.writeHead(200).write('so far');
    const outcome = await post(impatient, receiver.url);
    expect(outcome).toMatchObject({ status_code: 200, response: 'so far', fault: null, error: null });
    expect(outcome.duration_ms).toBeLessThan(2_000);
  });

  test('is over at once when the connection is cut', async () => {
    receiver.answer = (_response, _request, socket) => void socket.destroy();
    expect(await post(sender, receiver.url)).toMatchObject({ status_code: null, fault: 'connection' });
    receiver.answer = (response, _request, socket) => {
      response.writeHead(500, { 'content-length': '100' }).write('half', () => socket.destroy());
    };
    expect(await post(sender, receiver.url)).toMatchObject({ status_code: 500, response: 'half' });
    receiver.answer = status(204);
    expect(await post(sender, receiver.url)).toMatchObject({ status_code: 204 });
  });

  test('that is answered by something else than HTTP, or with headers without end, has failed', async () => {
    receiver.answer = (_response, _request, socket) => void socket.end('SSH-2.0-OpenSSH_9.2\r\n');
    expect(await post(sender, receiver.url)).toMatchObject({ status_code: null, fault: 'protocol' });
    receiver.answer = (_response, _request, socket) => {
      socket.on('error', () => {});
      socket.write(`HTTP/1.1 200 OK\r\nX-Long: ${'y'.repeat(1_000_000)}`);
    };
    expect(await post(sender, receiver.url)).toMatchObject({ status_code: null, fault: 'protocol' });
  });

  test('takes no notice of early hints', async () => {
    receiver.answer = (response) => response.writeEarlyHints({ link: '</x>' }, () => response.writeHead(202).end('ok'));
    expect(await post(sender, receiver.url)).toMatchObject({ status_code: 202, response: 'ok' });
  });

  test('that is stopped tells so', async () => {
    receiver.answer = () => sender.stop();
    expect(await post(sender, receiver.url)).toMatchObject({ status_code: null, fault: 'stopped' });
  });

  test('to where nobody listens tells so without the address', async () => {
    await receiver[Symbol.asyncDispose]();
    const told = await post(sender, receiver.url);
    expect(told).toMatchObject({ status_code: null, fault: 'connection', error: 'the connection was refused' });
  });
});

describe('a name', () => {
  const to = (name: string) => receiver.url.replace('127.0.0.1', name);

  test('is connected to at the address that was checked, whatever it means the next moment', async () => {
    const answers = [['127.0.0.1'], ['10.0.0.9']];
    let asked = 0;
    const resolve: Resolve = async () => answers[asked++] ?? [];
    const allows: AddressRule = (address) => address === '127.0.0.1';
    await using guarded = startSender({ resolve, allows });
    expect(await post(guarded, to('rebinding.example'))).toMatchObject({ status_code: 204 });
    expect(asked).toBe(1);
    expect(receiver.received[0]?.headers.host).toBe(`rebinding.example:${receiver.port}`);
  });

  test('that means an address which is not public is not connected to', async () => {
    await using guarded = startSender({
      resolve: async () => ['127.0.0.1', '::ffff:127.0.0.1'],
      allows: addressRule(false),
    });
    const told = await post(guarded, to('inside.example'));
    expect(told).toMatchObject({ status_code: null, fault: 'refused' });
    expect(told.error).not.toContain('127');
    expect(receiver.connections).toBe(0);
  });

  test('of which some addresses are not public is connected to at the others', async () => {
    const allows: AddressRule = (address) => address === '127.0.0.1';
    await using guarded = startSender({ resolve: async () => ['10.0.0.9', 'fe80::1', '127.0.0.1'], allows });
    expect(await post(guarded, to('mixed.example'))).toMatchObject({ status_code: 204 });
  });

  test('that is not known tells so without what the resolver said', async () => {
    expect(await post(sender, to('nowhere.example'))).toMatchObject({ fault: 'name', error: 'the host is not known' });
  });

  test('that is resolved never ends when the time is up, and is not sent to afterwards', async () => {
    const { promise, resolve } = Promise.withResolvers<string[]>();
    await using impatient = startSender({ resolve: () => promise, requestMs: 100 });
    expect(await post(impatient, to('slow.example'))).toMatchObject({ fault: 'timeout' });
    resolve(['127.0.0.1']);
    expect(await post(impatient, to('slow.example'))).toMatchObject({ status_code: 204 });
    expect(receiver.received).toHaveLength(1);
  });
});

describe('an address', () => {
  test.each(['127.0.0.1', '2130706433', '0x7f.1', '[::ffff:127.0.0.1]', '[::1]', 'localhost'])(
    'that is not public is not connected to: %s',
    async (host) => {
      await using guarded = startSender({ resolve: async () => ['127.0.0.1'], allows: addressRule(false) });
      expect(await post(guarded, receiver.url.replace('127.0.0.1', host))).toMatchObject({ fault: 'refused' });
      expect(receiver.connections).toBe(0);
    },
  );
});

describe('TLS', () => {
  test('is checked: a certificate that nobody vouches for is refused, one that is vouched for holds for its names', async () => {
    await using secure = await startReceiver(status(200), 'https');
    expect(await post(sender, secure.url)).toMatchObject({ status_code: null, fault: 'certificate' });
    expect(secure.received).toEqual([]);
    await using trusting = startSender({ resolve: async () => ['127.0.0.1'], ca: testCertificate.cert });
    const at = (name: string) => secure.url.replace('127.0.0.1', name);
    expect(await post(trusting, at('receiver.example'))).toMatchObject({ status_code: 200 });
    expect(await post(trusting, at('other.example'))).toMatchObject({ status_code: null, fault: 'certificate' });
    expect(secure.received).toHaveLength(1);
  });

  test('is not spoken to what does not speak it', async () => {
    const told = await post(sender, receiver.url.replace('http:', 'https:'));
    expect(told).toMatchObject({ status_code: null, fault: 'certificate' });
  });
});

function dripInto(socket: import('node:net').Socket, text: string): void {
  socket.on('error', () => {});
  socket.write(text);
  const drip = () => {
    if (!socket.destroyed) socket.write('y', () => setImmediate(drip));
  };
  drip();
}
