import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Connection } from 'mongoose';
import { retiredIndexes } from './retired-indexes.ts';
import { startTestPlatform, type TestPlatform } from './testing/platform.ts';

let platform: TestPlatform;

beforeAll(async () => {
  platform = await startTestPlatform();
});
afterAll(async () => {
  await platform[Symbol.asyncDispose]();
});

test('no index that is retired is one that is made', async () => {
  const connection: Connection = platform.ctx.tasks.db;
  const textOf = (collection: string, key: object) => `${collection} ${JSON.stringify(Object.entries(key))}`;
  const made = Object.values(connection.models).flatMap(({ schema, collection }) =>
    schema.indexes().map(([key]) => textOf(collection.name, key)),
  );
  const retired = Object.entries(retiredIndexes).flatMap(([name, keys]) => keys.map((key) => textOf(name, key)));
  expect(made.length).toBeGreaterThan(20);
  expect(retired.filter((index) => made.includes(index))).toEqual([]);
});
