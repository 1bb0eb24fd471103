import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createLogger } from '../logger.ts';
import { connectMongo, type Mongo } from '../mongo.ts';
import { testEnvironment } from '../testing/environment.ts';
import { dropRetiredIndexes } from './retired-indexes.ts';

const log = createLogger('test', 'silent');
const environment = testEnvironment();
let mongo: Mongo;

beforeAll(async () => {
  mongo = await connectMongo(environment.env.MONGODB_URI ?? '', 'indexes', log);
});
afterAll(async () => {
  await mongo[Symbol.asyncDispose]();
  await environment[Symbol.asyncDispose]();
});

test('indexes that are retired are dropped, once and by several at once, and no others', async () => {
  const { connection } = mongo;
  const things = connection.collection('things');
  await things.createIndex({ a: 1, b: -1 }, { name: 'whatever it is called' });
  await things.createIndex({ a: 1, b: 1 });
  await things.createIndex({ b: -1, a: 1 });
  const retired = { things: [{ a: 1, b: -1 }], 'not there': [{ c: 1 }] } as const;
  await Promise.all([1, 2, 3].map(() => dropRetiredIndexes(connection, retired, log)));
  await dropRetiredIndexes(connection, retired, log);
  const left = (await things.indexes()).map(({ key }) => Object.entries(key));
  expect(left).toEqual([
    [['_id', 1]],
    [
      ['a', 1],
      ['b', 1],
    ],
    [
      ['b', -1],
      ['a', 1],
    ],
  ]);
});
