import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, test } from '@jest/globals';
import { mongo } from 'mongoose';
import { watchHeartbeats } from './heartbeats.ts';
import { testEnvironment } from './testing/environment.ts';
import { until } from './testing/until.ts';

const environment = testEnvironment();
afterAll(async () => {
  await environment[Symbol.asyncDispose]();
});

const { MONGODB_URI = '' } = environment.env;
const looks = { everyMs: 200, most: 20 };

/** A driver, and how often it was found to have stopped. */
async function watched(uri: string, options: mongo.MongoClientOptions) {
  const client = new mongo.MongoClient(uri, options);
  const found = { stops: 0 };
  const watching = watchHeartbeats(client, looks, () => found.stops++);
  const asked = client.connect().catch(() => {});
  return {
    found,
    asked,
    [Symbol.asyncDispose]: async () => {
      watching[Symbol.dispose]();
      await client.close();
    },
  };
}

test('a driver that asks its servers no longer is found out, once', async () => {
  await using driver = await watched(MONGODB_URI, { heartbeatFrequencyMS: 600_000 });
  await driver.asked;
  await until('it is found', () => driver.found.stops > 0);
  await delay(2 * looks.everyMs);
  expect(driver.found.stops).toBe(1);
});

test('one whose servers answer is left alone, and so is one whose servers do not', async () => {
  const often = { heartbeatFrequencyMS: 500 };
  await using answered = await watched(MONGODB_URI, often);
  await using refused = await watched('mongodb://127.0.0.1:1', { ...often, serverSelectionTimeoutMS: 60_000 });
  await delay(1.5 * looks.everyMs * looks.most);
  expect([answered.found.stops, refused.found.stops]).toEqual([0, 0]);
});
