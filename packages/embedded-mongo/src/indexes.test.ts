import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Collection, MongoServerError } from 'mongodb';
import { connected, stageNames, stagesOf } from './test-support.ts';

type Server = Awaited<ReturnType<typeof connected>>;
let server: Server;
// biome-ignore lint/suspicious/noExplicitAny: documents of any shape are what is tested
let items: Collection<any>;

beforeAll(async () => {
  server = await connected({ ttlIntervalMs: 20 });
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(async () => {
  items = server.db.collection('indexed');
  await items.drop();
});

const explain = (filter: object, sort: Record<string, 1 | -1> = {}) =>
  items.find(filter).sort(sort).explain('executionStats');

describe('the planner', () => {
  beforeEach(async () => {
    await items.insertMany(
      Array.from({ length: 1000 }, (_, n) => ({
        _id: n,
        project: n % 10,
        status: `s${Math.floor(n / 10) % 4}`,
        at: 1000 - n,
      })),
    );
    await items.createIndex({ project: 1, status: 1, at: -1 });
  });

  test('bounds equality, gives the order and reads only what it returns', async () => {
    const plan = await explain({ project: 3, status: 's1' }, { at: -1 });
    expect(stageNames(plan)).toEqual(['FETCH', 'IXSCAN']);
    expect(stagesOf(plan)[1]).toMatchObject({ indexName: 'project_1_status_1_at_-1', direction: 'forward' });
    expect(plan.executionStats).toMatchObject({ nReturned: 25, totalKeysExamined: 25, totalDocsExamined: 25 });
  });

  test('scans backwards for the opposite order', async () => {
    const plan = await explain({ project: 3, status: 's1' }, { at: 1 });
    expect(stageNames(plan)).toEqual(['FETCH', 'IXSCAN']);
    expect(stagesOf(plan)[1]?.direction).toBe('backward');
  });

  test('bounds a range after equality', async () => {
    const plan = await explain({ project: 3, status: 's1', at: { $gt: 500, $lte: 900 } });
    expect(plan.executionStats.totalKeysExamined).toBe(plan.executionStats.nReturned);
  });

  test('takes what a partial index holds as said, and such an index for narrower', async () => {
    await items.createIndex({ project: 1, at: 1 }, { name: 'few', partialFilterExpression: { status: 's1' } });
    const plan = await explain({ project: 3, status: 's1', at: { $lte: 900 } }, { at: 1 });
    expect(stageNames(plan)).toEqual(['FETCH', 'IXSCAN']);
    expect(stagesOf(plan)[1]?.indexName).toBe('few');
    expect(plan.executionStats).toMatchObject({ nReturned: 22, totalKeysExamined: 22 });
    expect(await items.countDocuments({ project: 3, status: 's1' }, { hint: 'few' })).toBe(25);
    expect(await items.countDocuments({ project: 3, status: 's2' })).toBe(25);
    const hinted = items.countDocuments({ project: 3, status: 's2' }, { hint: 'few' });
    await expect(hinted).rejects.toMatchObject({ code: 2 });
  });

  test('counts by the index alone what its bounds say, and by the documents what they do not', async () => {
    const count = (filter: object, options: object = {}) => items.countDocuments(filter, options);
    expect(await count({ project: 3 })).toBe(100);
    expect(await count({ project: 3, status: { $in: ['s1', 's2'] } })).toBe(50);
    expect(await count({ project: 3, status: 's1', at: { $gt: 500, $lte: 900 } })).toBe(10);
    expect(await count({ project: 3 }, { skip: 20, limit: 30 })).toBe(30);
    expect(await count({ project: 3 }, { skip: 90, limit: 30 })).toBe(10);
    expect(await count({ project: 3, status: { $ne: 's1' } })).toBe(75);
    expect(await count({ project: 3, status: /^s1/ })).toBe(25);
    expect(await count({ project: 3, at: { $gt: 500 } })).toBe(50);
    expect(await count({ project: 77 })).toBe(0);
    const groups = [{ $match: { project: 3 } }, { $group: { _id: null, all: { $sum: 1 } } }];
    expect(await items.aggregate(groups).toArray()).toEqual([{ _id: null, all: 100 }]);
  });

  test('merges the ranges of $in without a sort, and stops at the limit', async () => {
    const plan = await items
      .find({ project: 3, status: { $in: ['s0', 's2'] } })
      .sort({ at: -1 })
      .limit(5)
      .explain('executionStats');
    expect(stageNames(plan)).toEqual(['LIMIT', 'FETCH', 'SORT_MERGE', 'IXSCAN']);
    expect(plan.executionStats.totalDocsExamined).toBe(5);
    const found = await items
      .find({ project: 3, status: { $in: ['s0', 's2'] } })
      .sort({ at: -1 })
      .limit(5)
      .toArray();
    expect(found.map(({ at }) => at)).toEqual([997, 977, 957, 937, 917]);
  });

  test('sorts in memory when no index gives the order, and scans the collection when none bounds', async () => {
    expect(stageNames(await explain({ project: 3 }, { at: 1 }))).toEqual(['SORT', 'FETCH', 'IXSCAN']);
    expect(stageNames(await explain({ status: 's1' }))).toEqual(['COLLSCAN']);
  });

  test('finds by _id through its index', async () => {
    const plan = await explain({ _id: 5 });
    expect(stagesOf(plan).at(-1)).toMatchObject({ stage: 'IXSCAN', indexName: '_id_' });
    expect(plan.executionStats).toMatchObject({ totalDocsExamined: 1, nReturned: 1 });
  });

  test('finds several by _id through its index, whatever else is asked of them', async () => {
    await items.createIndex({ project: 1 });
    const plan = await explain({ _id: { $in: [5, 13, 23] }, project: 3 });
    expect(stagesOf(plan).at(-1)).toMatchObject({ stage: 'IXSCAN', indexName: '_id_' });
    expect(plan.executionStats).toMatchObject({ totalDocsExamined: 3, nReturned: 2 });
  });

  test('looks for a page in the order of _id among those that match, not among all', async () => {
    await items.createIndex({ project: 1 });
    for (const project of [3, { $in: [3] }, { $in: [3, 77] }]) {
      const plan = await explain({ project, _id: { $gt: 500 } }, { _id: 1 });
      expect(plan.executionStats).toMatchObject({ totalDocsExamined: 100, nReturned: 50 });
    }
  });

  test('serves an anchored regular expression as a range', async () => {
    await items.createIndex({ status: 1 });
    const plan = await explain({ status: /^s1/ });
    expect(stageNames(plan)).toEqual(['FETCH', 'IXSCAN']);
    expect(plan.executionStats).toMatchObject({ nReturned: 250, totalDocsExamined: 250 });
  });

  test('honours a hint and refuses one that names nothing', async () => {
    expect(stageNames(await items.find({ _id: 1 }).hint({ $natural: 1 }).explain())).toEqual(['COLLSCAN']);
    await expect(items.find({}).hint('nope').toArray()).rejects.toMatchObject({ code: 2 });
  });

  test('explains updates, counts, deletes and pipelines by the same plan', async () => {
    const commands = [
      { update: 'indexed', updates: [{ q: { project: 1 }, u: { $set: { x: 1 } }, multi: true }] },
      { delete: 'indexed', deletes: [{ q: { project: 1 }, limit: 0 }] },
      { count: 'indexed', query: { project: 1 } },
      { findAndModify: 'indexed', query: { project: 1 }, remove: true },
      { aggregate: 'indexed', pipeline: [{ $match: { project: 1 } }, { $sort: { status: 1 } }], cursor: {} },
    ];
    for (const command of commands) {
      expect(stageNames(await server.db.command({ explain: command }))).toEqual(expect.arrayContaining(['IXSCAN']));
    }
    const grouped = await items.aggregate([{ $match: { project: 1 } }, { $group: { _id: '$status' } }]).explain();
    expect(stageNames(grouped.stages[0].$cursor)).toEqual(['FETCH', 'IXSCAN']);
    expect(await items.countDocuments({})).toBe(1000);
  });
});

describe('unique indexes', () => {
  test('refuse a second document and say which key', async () => {
    await items.createIndex({ owner: 1, name: 1 }, { unique: true });
    await items.insertOne({ _id: 1, owner: 'o', name: 'n' });
    const error = await items.insertOne({ _id: 2, owner: 'o', name: 'n' }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(MongoServerError);
    expect(error).toMatchObject({
      code: 11000,
      keyPattern: { owner: 1, name: 1 },
      keyValue: { owner: 'o', name: 'n' },
    });
    expect((error as Error).message).toMatch(
      /^E11000 duplicate key error collection: test\.indexed index: owner_1_name_1 dup key: /,
    );
  });

  test('hold for updates, upserts and replacements too, and one document may keep its own key', async () => {
    await items.createIndex({ k: 1 }, { unique: true });
    await items.insertMany([
      { _id: 1, k: 1 },
      { _id: 2, k: 2 },
    ]);
    await expect(items.updateOne({ _id: 2 }, { $set: { k: 1 } })).rejects.toMatchObject({
      code: 11000,
      keyValue: { k: 1 },
    });
    await expect(items.replaceOne({ _id: 2 }, { k: 1 })).rejects.toMatchObject({ code: 11000 });
    await expect(items.updateOne({ _id: 3 }, { $set: { k: 1 } }, { upsert: true })).rejects.toMatchObject({
      code: 11000,
    });
    await expect(items.findOneAndUpdate({ _id: 2 }, { $set: { k: 1 } })).rejects.toMatchObject({
      code: 11000,
      keyPattern: { k: 1 },
    });
    await items.updateOne({ _id: 1 }, { $set: { k: 1, x: 1 } });
    expect(await items.find().sort({ _id: 1 }).toArray()).toEqual([
      { _id: 1, k: 1, x: 1 },
      { _id: 2, k: 2 },
    ]);
  });

  test('cannot be built over duplicates', async () => {
    await items.insertMany([{ k: 1 }, { k: 1 }]);
    await expect(items.createIndex({ k: 1 }, { unique: true })).rejects.toMatchObject({ code: 11000 });
    expect(await items.indexes()).toHaveLength(1);
  });

  test('hold per element of an array', async () => {
    await items.createIndex({ tags: 1 }, { unique: true });
    await items.insertOne({ _id: 1, tags: ['a', 'b', 'a'] });
    await expect(items.insertOne({ _id: 2, tags: ['c', 'b'] })).rejects.toMatchObject({
      code: 11000,
      keyValue: { tags: 'b' },
    });
  });
});

describe('partial and sparse indexes', () => {
  test('a partial unique index binds only the documents it covers', async () => {
    await items.createIndex({ email: 1 }, { unique: true, partialFilterExpression: { deleted: null } });
    await items.insertOne({ _id: 1, email: 'a', deleted: null });
    await items.insertOne({ _id: 2, email: 'a', deleted: new Date() });
    await expect(items.insertOne({ _id: 3, email: 'a', deleted: null })).rejects.toMatchObject({ code: 11000 });
    await items.updateOne({ _id: 1 }, { $set: { deleted: new Date() } });
    await items.insertOne({ _id: 3, email: 'a', deleted: null });
  });

  test('a partial index serves only filters that imply its own', async () => {
    await items.createIndex({ n: 1 }, { partialFilterExpression: { age: { $gt: 18 } } });
    await items.insertMany([{ n: 1, age: 5 }, { n: 1, age: 50 }, { n: 1 }]);
    expect(stageNames(await explain({ n: 1 }))).toEqual(['COLLSCAN']);
    expect(stageNames(await explain({ n: 1, age: { $gt: 10 } }))).toEqual(['COLLSCAN']);
    expect(stageNames(await explain({ n: 1, age: { $gte: 30 } }))).toEqual(['FETCH', 'IXSCAN']);
    expect(stageNames(await explain({ n: 1, age: 40 }))).toEqual(['FETCH', 'IXSCAN']);
    expect(await items.countDocuments({ n: 1 })).toBe(3);
  });

  test('a sparse index is left aside where documents without the field could match', async () => {
    await items.createIndex({ n: 1 }, { sparse: true });
    await items.insertMany([{ _id: 1, n: 1 }, { _id: 2 }, { _id: 3, n: null }]);
    expect(stageNames(await explain({ n: null }))).toEqual(['COLLSCAN']);
    expect(stageNames(await explain({}, { n: 1 }))).toEqual(['SORT', 'COLLSCAN']);
    expect(stageNames(await explain({ n: 1 }))).toEqual(['FETCH', 'IXSCAN']);
    expect(await items.find({}).sort({ n: 1 }).toArray()).toHaveLength(3);
  });
});

describe('index management', () => {
  test('creating an index again does nothing, another one under its name or key is an error', async () => {
    await items.createIndex({ a: 1 });
    await items.createIndex({ a: 1 });
    expect((await items.indexes()).map(({ name }) => name)).toEqual(['_id_', 'a_1']);
    await expect(items.createIndex({ b: 1 }, { name: 'a_1' })).rejects.toMatchObject({ code: 86 });
    await expect(items.createIndex({ a: 1 }, { name: 'other' })).rejects.toMatchObject({ code: 85 });
    await expect(items.createIndex({ a: 1 }, { unique: true })).rejects.toMatchObject({ code: 85 });
    await items.dropIndex('a_1');
    await expect(items.dropIndex('a_1')).rejects.toMatchObject({ code: 27 });
  });

  test('documents whose time has come are removed', async () => {
    await items.createIndex({ until: 1 }, { expireAfterSeconds: 0 });
    await items.insertMany([
      { _id: 1, until: new Date(Date.now() - 1000) },
      { _id: 2, until: new Date(Date.now() + 60_000) },
      { _id: 3, until: 'never' },
      { _id: 4 },
    ]);
    while ((await items.countDocuments()) > 3);
    expect(await items.distinct('_id')).toEqual([2, 3, 4]);
  });
});
