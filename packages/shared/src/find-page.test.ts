import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { type Connection, createConnection, type Model, Schema } from 'mongoose';
import { findPage } from './find-page.ts';
import { databasePrefix } from './mongo.ts';
import { testEnvironment } from './testing/environment.ts';

interface Item {
  _id: number;
  kind: string;
  note: string;
}

describe('a page', () => {
  const { env, ...environment } = testEnvironment();
  const uri = env.MONGODB_URI ?? '';
  let connection: Connection;
  let items: Model<Item>;

  beforeAll(async () => {
    connection = await createConnection(uri, { dbName: `${databasePrefix(uri)}_pages` }).asPromise();
    const schema = new Schema<Item>({ _id: Number, kind: String, note: String }, { versionKey: false });
    items = connection.model<Item>('Item', schema.index({ kind: 1, _id: 1 }));
    await items.init();
    const kinds = { few: 7, some: 1_000, many: 1_001 };
    const all = Object.entries(kinds).flatMap(([kind, count]) => Array.from({ length: count }, () => kind));
    await items.insertMany(all.map((kind, _id) => ({ _id, kind, note: 'n' })));
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });
  afterAll(async () => {
    await connection.dropDatabase();
    await connection.close();
    await environment[Symbol.asyncDispose]();
  });

  const page = (kind: string, page: number, page_size: number) =>
    findPage(items, { kind }, { sort: '_id', order: 'asc', page, page_size }, ['_id']);

  test('holds the fields asked for, in order', async () => {
    expect((await page('few', 2, 3)).documents).toEqual([{ _id: 3 }, { _id: 4 }, { _id: 5 }]);
  });

  test('tells the total without counting when it is the last one', async () => {
    const counts = jest.spyOn(items, 'countDocuments');
    expect(await page('few', 3, 3)).toEqual({ documents: [{ _id: 6 }], total: 7 });
    expect((await page('none', 1, 3)).total).toBe(0);
    expect(counts).not.toHaveBeenCalled();
    expect((await page('few', 9, 3)).total).toBe(7);
    expect(counts).toHaveBeenCalled();
  });

  test('tells a total up to 1,000 as it is at the moment', async () => {
    expect((await page('some', 1, 50)).total).toBe(1_000);
    await items.deleteOne({ _id: 7 });
    expect((await page('some', 1, 50)).total).toBe(999);
    await items.create({ _id: 7, kind: 'some', note: 'n' });
  });

  test('tells a larger total without counting each time', async () => {
    const totals = await Promise.all([page('many', 1, 50), page('many', 2, 50)]);
    expect(totals.map(({ total }) => total)).toEqual([1_001, 1_001]);
    const counts = jest.spyOn(items, 'countDocuments');
    await items.create([1, 2, 3].map((n) => ({ _id: 10_000 + n, kind: 'many', note: 'n' })));
    expect((await page('many', 1, 50)).total).toBe(1_001);
    expect(counts).not.toHaveBeenCalled();
    expect((await findPage(items, { kind: 'many', _id: { $gt: 0 } }, {})).total).toBe(1_004);
  });
});
