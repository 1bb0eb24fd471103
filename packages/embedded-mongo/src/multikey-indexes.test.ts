import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Collection } from 'mongodb';
import { connected, stageNames, stagesOf } from './test-support.ts';

type Server = Awaited<ReturnType<typeof connected>>;
let server: Server;
// biome-ignore lint/suspicious/noExplicitAny: documents of any shape are what is tested
let items: Collection<any>;

beforeAll(async () => {
  server = await connected();
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(async () => {
  items = server.db.collection('multikey');
  await items.drop();
});

const explain = (filter: object, sort: Record<string, 1 | -1> = {}) =>
  items.find(filter).sort(sort).explain('executionStats');

describe('multikey indexes', () => {
  test('find documents by elements, and never bind two conditions that different elements can meet', async () => {
    await items.createIndex({ 'l.a': 1, 'l.b': 1 });
    await items.insertMany([
      {
        _id: 1,
        l: [
          { a: 5, b: 1 },
          { a: 3, b: 7 },
        ],
      },
      { _id: 2, l: [{ a: 5, b: 7 }] },
      { _id: 3, l: [] },
    ]);
    const found = await items.find({ 'l.a': 5, 'l.b': 7 }).sort({ _id: 1 }).toArray();
    expect(found.map(({ _id }) => _id)).toEqual([1, 2]);
    expect(stagesOf(await explain({ 'l.a': 5 })).at(-1)).toMatchObject({ stage: 'IXSCAN', isMultiKey: true });
    await items.createIndex({ n: 1 });
    await items.insertOne({ _id: 4, n: [1, 10] });
    expect(await items.countDocuments({ n: { $gt: 5, $lt: 6 } })).toBe(1);
  });

  test('are bounded on both sides by a range that one element has to lie in', async () => {
    await items.createIndex({ tags: 1 });
    await items.insertMany(Array.from({ length: 100 }, (_, n) => ({ _id: n, tags: [`a${n}`, `b${n}`, `c${n}`] })));
    const plan = await explain({ tags: { $elemMatch: { $gte: 'b2', $lt: 'b3' } } });
    expect(plan.executionStats).toMatchObject({ nReturned: 11, totalKeysExamined: 11 });
    // Of two elements, one may lie above and another one below.
    expect(await items.countDocuments({ tags: { $gte: 'c99', $lt: 'b' } })).toBe(1);
    expect(await items.countDocuments({ tags: { $elemMatch: { $gte: 'c99', $lt: 'b' } } })).toBe(0);
  });

  test('are preferred to an index that gives the order', async () => {
    await items.createIndex({ status: 1, at: -1 });
    await items.createIndex({ words: 1 });
    await items.insertMany(
      Array.from({ length: 100 }, (_, n) => ({ status: 's', at: n, words: ['every', `word${n}`] })),
    );
    for (const words of ['word7', { $elemMatch: { $gte: 'word7', $lt: 'word70' } }]) {
      const plan = await explain({ status: 's', words }, { at: -1 });
      expect(stageNames(plan)).toEqual(['SORT', 'FETCH', 'IXSCAN']);
      expect(plan.executionStats).toMatchObject({ nReturned: 1, totalDocsExamined: 1 });
    }
  });

  test('refuse parallel arrays', async () => {
    await items.createIndex({ a: 1, b: 1 });
    await expect(items.insertOne({ a: [1], b: [1] })).rejects.toMatchObject({ code: 171 });
  });
});
