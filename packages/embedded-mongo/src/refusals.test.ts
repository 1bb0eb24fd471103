import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Document } from 'mongodb';
import { connected } from './test-support.ts';

type Server = Awaited<ReturnType<typeof connected>>;
let server: Server;

beforeAll(async () => {
  server = await connected();
  await server.db.collection('c').insertOne({ a: 1 });
});
afterAll(() => server[Symbol.asyncDispose]());

const find = (filter: Document, more: Document = {}) => ({ find: 'c', filter, ...more });
const aggregate = (...pipeline: Document[]) => ({ aggregate: 'c', pipeline, cursor: {} });

test.each<[Document, number]>([
  [{ noSuchCommand: 1 }, 59],
  [{ atlasVersion: 1 }, 59],
  [{ find: 'c', filter: {}, nonsense: 1 }, 40415],
  [{ find: '', filter: {} }, 73],
  [find({ a: { $foo: 1 } }), 2],
  [find({ $foo: 1 }), 2],
  [find({ $where: 'true' }), 238],
  [find({ $text: { $search: 'x' } }), 238],
  [find({ $jsonSchema: {} }), 238],
  [find({ a: { $near: [0, 0] } }), 238],
  [find({ a: { $in: 5 } }), 2],
  [find({ a: { $regex: '(' } }), 51091],
  [find({}, { collation: { locale: 'de' } }), 238],
  [find({}, { tailable: true }), 238],
  [find({}, { min: { a: 1 } }), 238],
  [find({}, { projection: { a: 1, b: 0 } }), 2],
  [find({}, { sort: { a: 2 } }), 2],
  [find({}, { skip: -1 }), 2],
  [aggregate({ $foo: 1 }), 40324],
  [aggregate({ $merge: 'other' }), 238],
  [aggregate({ $limit: 1 }, { $match: { a: { $type: 'int' } } }), 238],
  [aggregate({ $out: 'other' }, { $limit: 1 }), 238],
  [aggregate({ $unionWith: 'other' }), 238],
  [find({ a: { $bitsAllSet: 1 } }), 238],
  [find({}, { projection: { 'a.$': 1 } }), 238],
  [find({}, { projection: { a: { $slice: 1 } } }), 238],
  [find({}, { projection: { a: { $elemMatch: { b: 1 } } } }), 238],
  [aggregate({ $bucket: { groupBy: '$a', boundaries: [0, 1] } }), 238],
  [{ collMod: 'c' }, 238],
  [{ renameCollection: 'test.c', to: 'test.d' }, 238],
  [{ createIndexes: 'c', indexes: [{ key: { a: 1 }, name: 'x', hidden: true }] }, 238],
  [{ createIndexes: 'c', indexes: [{ key: { a: 1 }, name: 'x', partialFilterExpression: { a: { $ne: 1 } } }] }, 67],
  [aggregate({ $changeStream: {} }), 238],
  [aggregate({ $graphLookup: {} }), 238],
  [aggregate({ $project: { x: { $foo: 1 } } }), 168],
  [aggregate({ $project: { x: { $function: {} } } }), 238],
  [aggregate({ $group: { _id: 1, x: { $top: {} } } }), 238],
  [aggregate({ $group: { x: 1 } }), 2],
  [{ aggregate: 'c', pipeline: [] }, 9],
  [{ aggregate: 1, pipeline: [{ $currentOp: {} }], cursor: {} }, 238],
  [{ mapReduce: 'c', map: 'x', reduce: 'y', out: 'z' }, 238],
  [{ create: 'capped', capped: true, size: 1000 }, 238],
  [{ create: 'view', viewOn: 'c', pipeline: [] }, 238],
  [{ create: 'bad$name' }, 73],
  [{ create: 'c2', validator: {} }, 238],
  [{ createIndexes: 'c', indexes: [{ key: { a: 'text' }, name: 'x' }] }, 238],
  [{ createIndexes: 'c', indexes: [{ key: { '$**': 1 }, name: 'x' }] }, 238],
  [{ createIndexes: 'c', indexes: [{ key: {}, name: 'x' }] }, 67],
  [{ createIndexes: 'c', indexes: [{ key: { a: 1 }, name: 'x', wildcardProjection: {} }] }, 238],
  [{ getMore: 5, collection: 'c' }, 43],
  [{ drop: 'nothing' }, 26],
  [{ listIndexes: 'nothing' }, 26],
  [{ saslStart: 1, mechanism: 'SCRAM-SHA-256', payload: '' }, 13],
  [{ insert: 'c', documents: [] }, 16],
])('%j is refused with code %i', async (command, code) => {
  await expect(server.db.command(command)).rejects.toMatchObject({ code });
});

test('a transaction is refused as a standalone server refuses it, and nothing of it is done', async () => {
  const transaction = { txnNumber: 1, startTransaction: true, autocommit: false };
  const insert = server.db.command({ insert: 't', documents: [{ a: 1 }], ...transaction });
  await expect(insert).rejects.toMatchObject({ code: 20, codeName: 'IllegalOperation' });
  const session = server.client.startSession();
  await expect(session.withTransaction(() => server.db.collection('t').insertOne({}, { session }))).rejects.toThrow();
  await session.endSession();
  expect(await server.db.collection('t').countDocuments()).toBe(0);
});

test('arithmetic on numbers that JavaScript cannot hold is refused, not rounded', async () => {
  await server.db.command({ insert: 'big', documents: [{ n: 2n ** 60n }] });
  const sum = server.db.collection('big').aggregate([{ $group: { _id: null, n: { $sum: '$n' } } }]);
  await expect(sum.toArray()).rejects.toMatchObject({ code: 238 });
});

test('what shells and monitors ask is answered', async () => {
  const admin = server.client.db('admin');
  for (const name of [
    'buildInfo',
    'serverStatus',
    'hostInfo',
    'getCmdLineOpts',
    'connectionStatus',
    'whatsmyuri',
    'listDatabases',
    'hello',
  ]) {
    expect(await admin.command({ [name]: 1 })).toMatchObject({ ok: 1 });
  }
  expect(await admin.command({ getParameter: 1, featureCompatibilityVersion: 1 })).toMatchObject({
    featureCompatibilityVersion: { version: '7.0' },
  });
  expect(await admin.command({ getLog: 'startupWarnings' })).toMatchObject({ log: [] });
  expect(await server.db.stats()).toMatchObject({ objects: expect.any(Number) });
  expect((await admin.command({ hello: 1 })).setName).toBeUndefined();
});
