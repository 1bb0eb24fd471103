import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Binary, type Collection, Decimal128, Double, Int32, Long, ObjectId, Timestamp, UUID } from 'mongodb';
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

describe('values', () => {
  test('every BSON type comes back as it was sent, also after an update of another field', async () => {
    const doc = {
      _id: 'types',
      int: new Int32(5),
      double: new Double(5),
      long: Long.fromString('9223372036854775807'),
      decimal: Decimal128.fromString('0.10'),
      id: new ObjectId(),
      uuid: new UUID(),
      bytes: new Binary(Buffer.from([0xff, 0xfe]), 0),
      date: new Date('2024-02-29T12:00:00.123Z'),
      stamp: new Timestamp({ t: 5, i: 6 }),
      regex: /a.b/i,
      nothing: null,
      list: [1, [2, { three: 3 }], []],
      meta: { 'dotted.key': 1, $dollar: 2 },
    };
    await items.insertOne(doc);
    const before = await items.findOne({ _id: 'types' }, { raw: true });
    await items.updateOne({ _id: 'types' }, { $set: { touched: true } });
    await items.updateOne({ _id: 'types' }, [{ $unset: 'touched' }]);
    const after = await items.findOne({ _id: 'types' }, { raw: true });
    expect(Buffer.compare(after, before)).toBe(0);
  });

  test('an int that overflows becomes a long, and arithmetic and comparison of a decimal are refused', async () => {
    await items.insertOne({ _id: 1, int: new Int32(2_147_483_647), decimal: Decimal128.fromString('0.1') });
    await items.updateOne({ _id: 1 }, { $inc: { int: 1 } });
    await expect(items.updateOne({ _id: 1 }, { $inc: { decimal: 1 } })).rejects.toMatchObject({ code: 238 });
    await expect(items.findOne({ decimal: { $gt: 0 } })).rejects.toMatchObject({ code: 238 });
    const doc = await items.findOne({ _id: 1 }, { promoteValues: false });
    expect(doc.int).toEqual(Long.fromNumber(2_147_483_648));
    expect(String(doc.decimal)).toBe('0.1');
  });

  test('numbers of all types have one order and equal each other exactly', async () => {
    const long = Long.fromString('9007199254740993');
    const numbers = [-1.5, new Double(2), 0.1, long, 9007199254740992, 3, new Double(7), Long.fromNumber(-7)];
    await items.insertMany(numbers.map((v, _id) => ({ _id, v })));
    const ids = async (filter: object) => (await items.find(filter).sort({ v: 1 }).toArray()).map(({ _id }) => _id);
    for (const index of [false, true]) {
      if (index) await items.createIndex({ v: 1 });
      expect(await ids({})).toEqual([7, 0, 2, 1, 5, 6, 4, 3]);
      expect(await ids({ v: 2 })).toEqual([1]);
      expect(await ids({ v: long })).toEqual([3]);
      expect(await ids({ v: { $gt: 9007199254740992 } })).toEqual([3]);
    }
  });

  test('a document without _id gets an ObjectId as its first field', async () => {
    await server.db.command({ insert: 'items', documents: [{ a: 1 }] });
    const doc = await items.findOne();
    expect(Object.keys(doc)).toEqual(['_id', 'a']);
    expect(doc._id).toBeInstanceOf(ObjectId);
  });

  test('types sort in the order of MongoDB', async () => {
    const values = [/x/, new Date(0), true, false, new ObjectId(), [9], { a: 1 }, 'text', 7, null];
    await items.insertMany(values.map((v, i) => ({ _id: i, v })));
    const found = await items
      .find({ _id: { $ne: 5 } })
      .sort({ v: 1 })
      .toArray();
    expect(found.map(({ _id }) => _id)).toEqual([9, 8, 7, 6, 4, 3, 2, 1, 0]);
  });

  test('comparisons stay within the type of their operand', async () => {
    await items.insertMany([
      { _id: 1, v: 5 },
      { _id: 2, v: '5' },
      { _id: 3, v: new Date(5) },
      { _id: 4 },
      { _id: 5, v: null },
    ]);
    const ids = async (filter: object) => (await items.find(filter).sort({ _id: 1 }).toArray()).map(({ _id }) => _id);
    expect(await ids({ v: { $gt: 1 } })).toEqual([1]);
    expect(await ids({ v: { $gte: '' } })).toEqual([2]);
    expect(await ids({ v: null })).toEqual([4, 5]);
    expect(await ids({ v: { $type: 'int' } })).toEqual([1]);
    expect(await ids({ v: { $type: 'double' } })).toEqual([]);
  });
});

describe('filters through arrays', () => {
  test.each([
    [{ l: { $elemMatch: { $gt: 0, $lt: 3 } } }, [1]],
    [{ 'l.0': 1 }, [1]],
    [{ 'l.0.0': 1 }, [2]],
    [{ l: 1 }, [1]],
    [{ l: [1] }, [2]],
    [{ 'l.x': null }, [4, 5]],
    [{ 'l.x': { $exists: false } }, [1, 2, 3, 5]],
    [{ 'l.x': { $not: { $gt: 1 } } }, [1, 2, 3, 5]],
    [{ l: { $size: 0 } }, [3]],
  ])('%j finds %j', async (filter, expected) => {
    await items.insertMany([
      { _id: 1, l: [1, 5] },
      { _id: 2, l: [[1], 7] },
      { _id: 3, l: [] },
      { _id: 4, l: [{ x: null }, { x: 2 }] },
      { _id: 5 },
    ]);
    const found = await items.find(filter).sort({ _id: 1 }).toArray();
    expect(found.map(({ _id }) => _id)).toEqual(expected);
  });
});
