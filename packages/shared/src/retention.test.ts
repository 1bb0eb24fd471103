import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { createLogger } from './logger.ts';
import { connectMongo, type Mongo } from './mongo.ts';
import { daysAgo, dropOutdated } from './retention.ts';
import { testEnvironment } from './testing/environment.ts';

const environment = testEnvironment();
const before = new Date('2026-03-01T00:00:00Z');
let mongo: Mongo;

beforeAll(async () => {
  mongo = await connectMongo(environment.env.MONGODB_URI ?? '', 'retention', createLogger('test', 'silent'));
});
beforeEach(async () => {
  await things().deleteMany({});
  const days = Array.from({ length: 40 }, (_, day) => ({
    ...({ _id: String(day).padStart(2, '0') } as object),
    at: new Date(before.getTime() + (day - 20) * 86_400_000),
    kept: day % 10 === 0,
  }));
  await things().insertMany([...days, { ...({ _id: 'without' } as object), kept: false }]);
});
afterAll(async () => {
  await mongo[Symbol.asyncDispose]();
  await environment[Symbol.asyncDispose]();
});

const things = () => mongo.connection.collection('things');
const left = async () => (await things().find().sort({ _id: 1 }).toArray()).map(({ _id }) => String(_id));

test('days are counted back from the beginning of one', () => {
  const now = Date.parse('2026-03-31T23:59:59Z');
  expect(daysAgo(30, now)).toEqual(before);
  expect(daysAgo(30, now - 86_399_000)).toEqual(before);
});

test('what is too old goes in batches, oldest first, and what is to be kept stays', async () => {
  const seen: string[][] = [];
  const outdated = {
    field: 'at',
    before,
    where: { kept: false },
    first: async (documents: readonly { _id: string }[]) => void seen.push(documents.map(({ _id }) => _id)),
  };
  expect(await dropOutdated(things(), outdated, { batch: 7, batches: 2 })).toBe(14);
  expect(await dropOutdated(things(), outdated, { batch: 7, batches: 2 })).toBe(4);
  expect(seen.map(({ length }) => length)).toEqual([7, 7, 4]);
  expect(seen[0]?.[0]).toBe('01');
  expect((await left()).slice(0, 3)).toEqual(['00', '10', '20']);
  expect(await left()).toHaveLength(23);
});

test('nothing is dropped when what comes first fails, and all of it by several at once', async () => {
  const outdated = { field: 'at', before };
  const first = () => Promise.reject(new Error('away'));
  await expect(dropOutdated(things(), { ...outdated, first })).rejects.toThrow('away');
  expect(await left()).toHaveLength(41);
  const dropped = await Promise.all([1, 2, 3].map(() => dropOutdated(things(), outdated, { batch: 3, batches: 20 })));
  expect(dropped.reduce((sum, each) => sum + each)).toBe(20);
  expect(await left()).toHaveLength(21);
});
