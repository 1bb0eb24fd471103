import net from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { deserialize, serialize } from 'bson';
import type { Document } from 'mongodb';
import { startServer } from './server.ts';
import { connected } from './test-support.ts';

type Server = Awaited<ReturnType<typeof connected>>;
let server: Server;

beforeAll(async () => {
  server = await connected();
});
afterAll(() => server[Symbol.asyncDispose]());

function message(opCode: number, ...parts: Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(16);
  head.writeInt32LE(16 + body.length, 0);
  head.writeInt32LE(7, 4);
  head.writeInt32LE(opCode, 12);
  return Buffer.concat([head, body]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

/** Sends bytes on a connection of its own; what comes back before the server closes it or answers once. */
function exchange(...chunks: Uint8Array[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(server.server.port, '127.0.0.1', () => {
      for (const chunk of chunks) socket.write(chunk);
    });
    let received = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length >= 4 && received.length >= received.readInt32LE(0)) socket.destroy();
    });
    socket.on('close', () => resolve(received));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ECONNRESET' ? resolve(received) : reject(error),
    );
  });
}

const kind0 = (body: Document) => Buffer.concat([Buffer.of(0), serialize(body)]);
const answerOf = (reply: Buffer): Document => deserialize(reply.subarray(21));

describe('messages', () => {
  test('the legacy hello is answered in its own form', async () => {
    const hello = serialize({ isMaster: 1, helloOk: true });
    const reply = await exchange(message(2004, int32(0), Buffer.from('admin.$cmd\0'), int32(0), int32(-1), hello));
    expect(reply.readInt32LE(12)).toBe(1);
    expect(deserialize(reply.subarray(36))).toMatchObject({ ismaster: true, helloOk: true, maxWireVersion: 21, ok: 1 });
  });

  test('document sequences are arguments, and checksums are tolerated', async () => {
    const docs = Buffer.concat([serialize({ _id: 1 }), serialize({ _id: 2 })]);
    const section = Buffer.concat([Buffer.from('documents\0'), docs]);
    const sequence = Buffer.concat([Buffer.of(1), int32(4 + section.length), section]);
    const reply = await exchange(message(2013, int32(1), kind0({ insert: 'seq', $db: 'test' }), sequence, int32(0)));
    expect(answerOf(reply)).toMatchObject({ n: 2, ok: 1 });
    expect(await server.db.collection('seq').countDocuments()).toBe(2);
  });

  test('what comes at once shares a transaction, of which a part that fails spoils no other', async () => {
    const insert = (_id: number) => kind0({ insert: 'turn', documents: [{ _id }], $db: 'test' });
    const both = { insert: 'turn', documents: [{ _id: 2 }, { _id: 1 }, { _id: 9 }], $db: 'test' };
    const asked = [
      insert(1),
      insert(1),
      kind0(both),
      kind0({ nonsense: 1, $db: 'test' }),
      kind0({ ping: 1, $db: 'test' }),
    ];
    const all = asked.map((body) => message(2013, int32(2), body)).slice(0, -1);
    const last = message(2013, int32(0), asked.at(-1) as Uint8Array);
    expect(answerOf(await exchange(Buffer.concat([...all, last])))).toEqual({ ok: 1 });
    expect(await server.db.collection('turn').distinct('_id')).toEqual([1, 2]);
  });

  test('a message may come byte by byte', async () => {
    const bytes = message(2013, int32(0), kind0({ ping: 1, $db: 'test' }));
    expect(answerOf(await exchange(...[...bytes].map((byte) => Buffer.of(byte))))).toEqual({ ok: 1 });
  });

  test.each([
    ['a negative length', Buffer.from([0xff, 0xff, 0xff, 0xff, ...Array(12).fill(0)])],
    ['a length above the limit', Buffer.concat([int32(48_000_001), Buffer.alloc(12)])],
    ['an unknown opcode', message(2010, int32(0))],
    ['a compressed message', message(2012, Buffer.alloc(20))],
    ['unknown required flags', message(2013, int32(4), kind0({ ping: 1, $db: 'test' }))],
    ['an unknown section', message(2013, int32(0), Buffer.of(9, 9, 9, 9, 9, 9))],
    ['a body longer than the message', message(2013, int32(0), Buffer.of(0), int32(500), Buffer.alloc(5))],
    [
      'a body that is no BSON',
      message(2013, int32(0), Buffer.of(0), int32(12), Buffer.from([99, 97, 0, 1, 2, 3, 4, 0])),
    ],
    ['no body', message(2013, int32(0))],
    ['a short message', message(2013)],
    [
      'a legacy query for data',
      message(2004, int32(0), Buffer.from('test.items\0'), int32(0), int32(0), serialize({})),
    ],
  ])('%s closes that connection and no other', async (_name, bytes) => {
    expect((await exchange(bytes)).length).toBe(0);
    expect(await server.db.command({ ping: 1 })).toEqual({ ok: 1 });
  });
});

describe('listening', () => {
  test.each(['0.0.0.0', '::', '192.168.0.1', 'example.org'])('on %s is refused', async (host) => {
    await expect(startServer({ host: host as 'localhost' })).rejects.toThrow(/loopback only/);
  });

  test('on a port that is taken is an error, and the folder stays free', async () => {
    await expect(startServer({ port: server.server.port })).rejects.toThrow(/EADDRINUSE/);
  });
});
