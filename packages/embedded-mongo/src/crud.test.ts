import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  Binary,
  Code,
  type Collection,
  Decimal128,
  Double,
  Long,
  MinKey,
  MongoBulkWriteError,
  Timestamp,
} from 'mongodb';
import { connected } from './test-support.ts';

type Server = Awaited<ReturnType<typeof connected>>;
let server: Server;
// biome-ignore lint/suspicious/noExplicitAny: documents of any shape are what is tested
let items: Collection<any>;

beforeAll(async () => {
  server = await connected();
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(async () => {
  items = server.db.collection('items');
  await items.deleteMany({});
});

describe('writes', () => {
  test('an update that changes nothing counts as matched and not as modified', async () => {
    await items.insertOne({ _id: 1, a: 1, list: [1] });
    const result = await items.updateOne({ _id: 1 }, { $set: { a: 1 }, $addToSet: { list: 1 } });
    expect(result).toMatchObject({ matchedCount: 1, modifiedCount: 0 });
  });

  test('a change that fails on an index leaves no trace, and one before it in the same command stays', async () => {
    await items.createIndex({ name: 1 }, { unique: true });
    await items.insertMany([
      { _id: 1, name: 'a', n: 1 },
      { _id: 2, name: 'b', n: 1 },
    ]);
    const taken = items.findOneAndUpdate({ _id: 2 }, { $set: { name: 'a', n: 2 } });
    await expect(taken).rejects.toMatchObject({ code: 11000 });
    expect(await items.findOne({ _id: 2 })).toEqual({ _id: 2, name: 'b', n: 1 });
    const writes = [
      { updateOne: { filter: { _id: 1 }, update: { $set: { name: 'c' } } } },
      { updateOne: { filter: { _id: 2 }, update: { $set: { name: 'c', n: 2 } } } },
      { updateOne: { filter: { _id: 1 }, update: { $inc: { n: 1 } } } },
    ];
    await expect(items.bulkWrite(writes, { ordered: false })).rejects.toBeInstanceOf(MongoBulkWriteError);
    expect(await items.find({ _id: { $in: [1, 2] } }).toArray()).toEqual([
      { _id: 1, name: 'c', n: 2 },
      { _id: 2, name: 'b', n: 1 },
    ]);
    await items.dropIndex('name_1');
  });

  test('what is found by its _id is what it was changed to by another way', async () => {
    await items.insertMany([
      { _id: 1, kind: 'x' },
      { _id: 2, kind: 'x' },
    ]);
    await items.find({ _id: { $in: [1, 2] } }).toArray();
    await items.updateMany({ kind: 'x' }, [{ $set: { kind: 'y', gone: '$$REMOVE' } }]);
    expect(await items.findOne({ _id: 1, gone: { $exists: false } })).toEqual({ _id: 1, kind: 'y' });
    await items.replaceOne({ kind: 'y', _id: 2 }, { kind: 'z' });
    await items.deleteOne({ kind: 'y' });
    expect(await items.findOne({ _id: 1 })).toBeNull();
    expect(await items.findOne({ _id: 2 })).toEqual({ _id: 2, kind: 'z' });
  });

  test('an upsert begins with the equalities of its filter', async () => {
    const result = await items.updateOne(
      { _id: 'x', kind: 'a', n: { $gt: 3 } },
      { $inc: { count: 1 }, $setOnInsert: { born: 1 } },
      { upsert: true },
    );
    expect(result.upsertedId).toBe('x');
    expect(await items.findOne()).toEqual({ _id: 'x', kind: 'a', count: 1, born: 1 });
  });

  test.each([
    ['$', { 'list.k': 2 }, { $set: { 'list.$.v': 'hit' } }, {}, ['a', 'hit', 'c']],
    [
      '$ after $elemMatch',
      { list: { $elemMatch: { k: 1, v: 'c' } } },
      { $set: { 'list.$.v': 'hit' } },
      {},
      ['a', 'b', 'hit'],
    ],
    ['$[]', {}, { $set: { 'list.$[].v': 'hit' } }, {}, ['hit', 'hit', 'hit']],
    ['$[id]', {}, { $set: { 'list.$[e].v': 'hit' } }, { arrayFilters: [{ 'e.k': 1 }] }, ['hit', 'b', 'hit']],
  ])(
    'the positional operator %s changes the elements it stands for',
    async (_name, filter, update, options, expected) => {
      await items.insertOne({
        _id: 1,
        list: [
          { k: 1, v: 'a' },
          { k: 2, v: 'b' },
          { k: 1, v: 'c' },
        ],
      });
      await items.updateOne({ _id: 1, ...filter }, update, options);
      const doc = await items.findOne();
      expect(doc.list.map(({ v }: { v: string }) => v)).toEqual(expected);
    },
  );

  test.each([
    [{ $push: { l: { $each: [5, 0], $position: 0 } } }, [5, 0, 3, 1, 2]],
    [{ $push: { l: { $each: [0], $sort: -1, $slice: 3 } } }, [3, 2, 1]],
    [{ $addToSet: { l: { $each: [1, 9] } } }, [3, 1, 2, 9]],
    [{ $pull: { l: { $gte: 2 } } }, [1]],
    [{ $pullAll: { l: [3, 2] } }, [1]],
    [{ $pop: { l: 1 } }, [3, 1]],
    [{ $unset: { 'l.1': 1 } }, [3, null, 2]],
  ])('the array update %j gives %j', async (update, expected) => {
    await items.insertOne({ _id: 1, l: [3, 1, 2] });
    await items.updateOne({ _id: 1 }, update as object);
    expect((await items.findOne()).l).toEqual(expected);
  });

  test.each([
    [{ $set: { a: 1 }, $inc: { a: 1 } }, 40],
    [{ $set: { 'a.b': 1 }, $unset: { a: 1 } }, 40],
    [{ $set: { _id: 2 } }, 66],
    [{ $set: { 'n.x': 1 } }, 28],
    [{ $inc: { s: 1 } }, 14],
    [{ $foo: { a: 1 } }, 9],
    [{ $push: { n: 1 } }, 2],
  ])('the update %j fails with code %i and changes nothing', async (update, code) => {
    await items.insertOne({ _id: 1, n: 1, s: 'x' });
    await expect(items.updateOne({ _id: 1 }, update as object)).rejects.toMatchObject({ code });
    expect(await items.findOne()).toEqual({ _id: 1, n: 1, s: 'x' });
  });

  test('an update of many documents is done for all or for none', async () => {
    await items.insertMany([
      { _id: 1, n: 1 },
      { _id: 2, n: 'x' },
    ]);
    await expect(items.updateMany({}, { $inc: { n: 1 } })).rejects.toMatchObject({ code: 14 });
    expect(await items.findOne({ _id: 1 })).toEqual({ _id: 1, n: 1 });
  });

  test('an ordered bulk write stops at its first error, an unordered one goes on', async () => {
    const operations = () => [1, 1, 2].map((_id) => ({ insertOne: { document: { _id } } }));
    const ordered = await items.bulkWrite(operations()).catch((error: unknown) => error as MongoBulkWriteError);
    expect(ordered).toBeInstanceOf(MongoBulkWriteError);
    expect((ordered as MongoBulkWriteError).insertedCount).toBe(1);
    await items.deleteMany({});
    const unordered = await items
      .bulkWrite(operations(), { ordered: false })
      .catch((error: unknown) => error as MongoBulkWriteError);
    expect((unordered as MongoBulkWriteError).insertedCount).toBe(2);
    expect((unordered as MongoBulkWriteError).writeErrors).toMatchObject([{ index: 1, code: 11000 }]);
  });

  test('findAndModify hands each number to one of many concurrent callers', async () => {
    await items.insertOne({ _id: 'counter', n: 0 });
    const next = () => items.findOneAndUpdate({ _id: 'counter' }, { $inc: { n: 1 } }, { returnDocument: 'after' });
    const numbers = (await Promise.all(Array.from({ length: 200 }, next))).map((doc) => doc.n);
    expect(new Set(numbers).size).toBe(200);
  });

  test('concurrent claims of a queue never give one entry to two', async () => {
    await items.insertMany(Array.from({ length: 50 }, (_, _id) => ({ _id, state: 'waiting' })));
    const claim = (owner: number) =>
      items.findOneAndUpdate({ state: 'waiting' }, { $set: { state: 'taken', owner } }, { sort: { _id: 1 } });
    const claimed = (await Promise.all(Array.from({ length: 80 }, (_, i) => claim(i)))).filter((doc) => doc !== null);
    expect(new Set(claimed.map(({ _id }) => _id)).size).toBe(50);
    expect(claimed).toHaveLength(50);
  });

  test('a write without acknowledgement is done', async () => {
    await items.insertOne({ _id: 1 }, { writeConcern: { w: 0 } });
    for (let i = 0; i < 1000 && !(await items.findOne({ _id: 1 })); i++);
    expect(await items.findOne({ _id: 1 })).toEqual({ _id: 1 });
  });

  test('a document above 16 MiB is refused', async () => {
    await items.insertOne({ _id: 1, a: 'x'.repeat(9_000_000) });
    await expect(items.updateOne({ _id: 1 }, { $set: { b: 'x'.repeat(9_000_000) } })).rejects.toMatchObject({
      code: 10334,
    });
  });
});

describe('reads', () => {
  test('a cursor gives everything in batches, and nothing changes what it found', async () => {
    await items.insertMany(Array.from({ length: 500 }, (_, _id) => ({ _id })));
    const cursor = items.find({}, { batchSize: 7 }).sort({ _id: 1 });
    const first = await cursor.next();
    await items.updateMany({}, { $set: { changed: true } });
    const rest = await cursor.toArray();
    expect([first, ...rest]).toEqual(Array.from({ length: 500 }, (_, _id) => ({ _id })));
  });

  test.each([
    [{ a: 1, _id: 0 }, { a: { b: 1, c: [1, 2, 3] } }],
    [{ 'a.b': 1 }, { _id: 1, a: { b: 1 } }],
    [
      { 'a.c': 0, l: 0 },
      { _id: 1, a: { b: 1 } },
    ],
    [{ 'l.v': 1, _id: 0 }, { l: [{ v: 'x' }, { v: 'y' }] }],
    [{ _id: 0, sum: { $add: ['$a.b', 1] } }, { sum: 2 }],
  ])('the projection %j gives %j', async (projection, expected) => {
    await items.insertOne({
      _id: 1,
      a: { b: 1, c: [1, 2, 3] },
      l: [
        { k: 1, v: 'x' },
        { k: 2, v: 'y' },
      ],
    });
    expect(await items.findOne({}, { projection })).toEqual(expected);
  });

  test.each([
    [{ a: 1 }, ['_id', 'a']],
    [{ a: 0, ü: false }, ['_id', 'list', 'long', 'at', 'no', 'of', 'un', 'min', 'code']],
    [{ _id: 0 }, ['a', 'ü', 'list', 'long', 'at', 'no', 'of', 'un', 'min', 'code']],
    [{ _id: 1 }, ['_id']],
    [{ _id: 0, list: true, none: 1 }, ['list']],
    [{ none: 1 }, ['_id']],
    [{ ü: 2, long: new Long(1) }, ['_id', 'ü', 'long']],
  ])('the projection %j keeps of every type what it was', async (projection, kept) => {
    await items.insertMany([
      { _id: 1, a: 'ä\0b', ü: new Double(1), list: [[], {}, null], long: new Long(2), at: new Date(0) },
      { _id: { x: 1 }, list: new Binary(Buffer.from('x'), 128), a: { b: [1] }, no: false, of: /x/i, un: null },
      { _id: '', ü: Decimal128.fromString('1.0'), a: new Timestamp(5n), min: new MinKey(), code: new Code('x') },
    ]);
    const exact = { promoteValues: false, bsonRegExp: true } as const;
    const pick = (document: object) => Object.entries(document).filter(([name]) => kept.includes(name));
    const found = await items.find({}, { projection, ...exact }).toArray();
    expect(found.map((document) => Object.entries(document))).toEqual(
      (await items.find({}, exact).toArray()).map(pick),
    );
  });

  test('distinct, count and skip with limit agree with the documents', async () => {
    await items.insertMany([1, 2, 2, 3].map((n, _id) => ({ _id, n, tags: ['a', `t${n}`] })));
    expect((await items.distinct('tags')).sort()).toEqual(['a', 't1', 't2', 't3']);
    expect(await items.countDocuments({ n: 2 })).toBe(2);
    expect(await items.estimatedDocumentCount()).toBe(4);
    expect((await items.find().sort({ n: -1, _id: 1 }).skip(1).limit(2).toArray()).map(({ _id }) => _id)).toEqual([
      1, 2,
    ]);
  });
});
