import { appendFileSync, existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { MongoClient } from 'mongodb';
import { startServer } from './server.ts';
import { launched, temporaryFolder } from './test-support.ts';

const byNumber = (a: number, b: number) => a - b;

describe('a killed server', () => {
  test('has every acknowledged write when it is started again', async () => {
    await using folder = await temporaryFolder();
    const acknowledged: number[] = [];
    {
      await using server = await launched(folder.dir);
      const items = server.db.collection<{ _id: number; n?: number }>('items');
      await items.createIndex({ n: 1 }, { unique: true, partialFilterExpression: { n: { $gt: 0 } } });
      let next = 0;
      const lane = async () => {
        for (;;) {
          const _id = next++;
          await items.insertOne({ _id });
          await items.updateOne({ _id }, { $set: { n: _id } });
          acknowledged.push(_id);
          if (acknowledged.length === 1500) void server.kill('SIGKILL');
        }
      };
      await Promise.allSettled(Array.from({ length: 20 }, lane));
    }
    expect(acknowledged.length).toBeGreaterThanOrEqual(1500);
    await using again = await launched(folder.dir);
    const items = again.db.collection<{ _id: number; n?: number }>('items');
    const found = await items.find({ n: { $exists: true } }).toArray();
    const kept = new Set(found.filter(({ _id, n }) => _id === n).map(({ _id }) => _id));
    expect(acknowledged.filter((_id) => !kept.has(_id))).toEqual([]);
    await expect(items.insertOne({ _id: -1, n: 5 })).rejects.toMatchObject({ code: 11000, keyValue: { n: 5 } });
  });

  test('leaves its folder to the next one, while a running one keeps it', async () => {
    await using folder = await temporaryFolder();
    await using server = await launched(folder.dir);
    await expect(startServer({ dataDir: folder.dir })).rejects.toThrow(/in use by another server/);
    await server.kill('SIGKILL');
    await using again = await startServer({ dataDir: folder.dir });
    expect(again.port).toBeGreaterThan(0);
    await expect(startServer({ dataDir: folder.dir })).rejects.toThrow(/in use by another server/);
  });

  test('ends cleanly on SIGTERM and gives its folder back', async () => {
    await using folder = await temporaryFolder();
    await using server = await launched(folder.dir);
    await server.db.collection('items').insertOne({ a: 1 });
    expect(await server.kill('SIGTERM')).toBe(0);
    expect(existsSync(path.join(folder.dir, 'data.sqlite-wal'))).toBe(false);
  });
});

/** Runs a server on a folder in this process. */
async function withServer<T>(dir: string, use: (client: MongoClient) => Promise<T>): Promise<T> {
  await using server = await startServer({ dataDir: dir });
  const client = new MongoClient(server.uri);
  try {
    return await use(client);
  } finally {
    await client.close();
  }
}

const idsIn = (client: MongoClient) => client.db('d').collection<{ _id: number }>('c').distinct('_id');

describe('the write-ahead log', () => {
  test.each([
    ['a record cut short', (file: string) => truncateSync(file, readFileSync(file).length - 3), [1, 2]],
    ['half a header', (file: string) => appendFileSync(file, Buffer.from([9, 0, 0])), [1, 2, 3]],
    ['a record of garbage', (file: string) => appendFileSync(file, Buffer.alloc(100, 7)), [1, 2, 3]],
    [
      'a last record with a wrong byte',
      (file: string) => {
        const bytes = readFileSync(file);
        bytes[bytes.length - 2] = 0x55;
        writeFileSync(file, bytes);
      },
      [1, 2],
    ],
  ])('may end in %s after a crash: what is whole is kept', async (_name, damage, expected) => {
    await using folder = await temporaryFolder();
    {
      await using server = await launched(folder.dir);
      const items = server.client.db('d').collection<{ _id: number }>('c');
      for (const _id of [1, 2, 3]) await items.insertOne({ _id });
      await server.kill('SIGKILL');
    }
    damage(path.join(folder.dir, 'data.sqlite-wal'));
    await withServer(folder.dir, async (client) => {
      expect(await idsIn(client)).toEqual(expected);
      await client.db('d').collection<{ _id: number }>('c').insertOne({ _id: 9 });
    });
    expect(await withServer(folder.dir, idsIn)).toEqual([...expected, 9]);
  });
});

describe('the file', () => {
  test('refuses a file that is not its own', async () => {
    await using folder = await temporaryFolder();
    writeFileSync(path.join(folder.dir, 'data.sqlite'), 'somebody else wrote this'.repeat(50));
    await expect(startServer({ dataDir: folder.dir })).rejects.toThrow(/not a database/);
  });

  test('brings back collections, indexes, drops and removals', async () => {
    await using folder = await temporaryFolder();
    await withServer(folder.dir, async (client) => {
      const db = client.db('d');
      await db.collection('gone').insertOne({ a: 1 });
      await db.collection('gone').drop();
      await db.collection('new').insertMany([{ a: 1 }, { a: 2 }]);
      await db.collection('new').createIndex({ a: 1 }, { unique: true });
      await db.collection('new').createIndex({ b: 1 });
      await db.collection('new').dropIndex('b_1');
      await db.collection('new').deleteOne({ a: 1 });
    });
    await withServer(folder.dir, async (client) => {
      const db = client.db('d');
      expect((await db.listCollections().toArray()).map(({ name }) => name)).toEqual(['new']);
      expect((await db.collection('new').indexes()).map(({ name }) => name)).toEqual(['_id_', 'a_1']);
      expect(await db.collection('new').distinct('a')).toEqual([2]);
    });
  });

  test('stays small when documents are written again and again, and loses nothing', async () => {
    await using folder = await temporaryFolder();
    const pad = 'x'.repeat(100_000);
    const rounds = 600;
    await withServer(folder.dir, async (client) => {
      const items = client.db('d').collection<{ _id: number; n: number }>('c');
      await items.createIndex({ n: 1 });
      await items.insertMany([1, 2, 3].map((_id) => ({ _id, n: 0 })));
      for (let n = 1; n <= rounds; n += 10) {
        await Promise.all(
          Array.from({ length: 10 }, (_, i) =>
            items.updateOne({ _id: 1 + (i % 3) }, { $set: { pad: `${n + i}${pad}`, n: n + i } }),
          ),
        );
      }
      // What is sent at once, by several connections, arrives in any order.
      for (const _id of [1, 2, 3]) await items.updateOne({ _id }, { $set: { n: rounds + _id } });
    });
    expect(readFileSync(path.join(folder.dir, 'data.sqlite')).length).toBeLessThan(4_000_000);
    await withServer(folder.dir, async (client) => {
      const items = client.db('d').collection<{ _id: number; n: number }>('c');
      expect((await items.distinct('n')).sort(byNumber)).toEqual([601, 602, 603]);
      expect(await items.indexes()).toHaveLength(2);
    });
  });

  test('that cannot grow fails the write, and memory stays what the disk has', async () => {
    await using folder = await temporaryFolder();
    const acknowledged: number[] = [];
    {
      await using server = await launched(folder.dir, "trap '' XFSZ; ulimit -f 200;");
      const items = server.db.collection<{ _id: number; pad: string }>('items');
      let failure: unknown;
      let next = 0;
      // Several at a time, so that they share transactions.
      const lane = async () => {
        while (!failure) {
          const _id = next++;
          await items.insertOne({ _id, pad: 'x'.repeat(5000) }).then(
            () => acknowledged.push(_id),
            (error: unknown) => {
              failure = error;
            },
          );
        }
      };
      await Promise.all(Array.from({ length: 5 }, lane));
      acknowledged.sort(byNumber);
      expect((failure as Error).message).toMatch(/the write was not done/);
      expect((await items.distinct('_id')).sort(byNumber)).toEqual(acknowledged);
      await items.insertOne({ _id: -1, pad: '' });
    }
    await using again = await launched(folder.dir);
    const ids = await again.db.collection<{ _id: number }>('items').distinct('_id');
    expect(ids.sort(byNumber)).toEqual([-1, ...acknowledged]);
  });
});
