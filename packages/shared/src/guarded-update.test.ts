import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Model } from 'mongoose';
import { PlatformError } from './errors.ts';
import { GuardedWrites, guardedUpdate } from './guarded-update.ts';
import { newId } from './ids.ts';
import { createLogger } from './logger.ts';
import { connectMongo, type Mongo } from './mongo.ts';
import type { OutboxEntry } from './outbox.ts';
import { logCommands, monitored } from './testing/commands.ts';
import { type Counter, counterSchema } from './testing/counter.ts';
import { testEnvironment } from './testing/environment.ts';

const ids = ['a', 'b', 'c', 'd'];
const notFound = () => new PlatformError('RESOURCE_NOT_FOUND', 'no counter');

describe('changes that are decided on known documents and written together', () => {
  const environment = testEnvironment();
  let mongo: Mongo;
  let counters: Model<Counter>;
  let writes: GuardedWrites;

  beforeAll(async () => {
    const uri = monitored(environment.env.MONGODB_URI ?? '');
    mongo = await connectMongo(uri, 'counters', createLogger('test', 'silent'));
    counters = mongo.connection.model<Counter>('Counter', counterSchema);
    writes = new GuardedWrites(counters.collection);
  });
  beforeEach(async () => {
    await counters.deleteMany({});
    const fresh = { value: 0, version: 1, updated_at: new Date(0), deleted_at: null, deleted_by: null, outbox: [] };
    await counters.insertMany(ids.map((_id) => ({ _id, ...fresh })));
  });
  afterAll(async () => {
    await mongo[Symbol.asyncDispose]();
    await environment[Symbol.asyncDispose]();
  });

  /** Raise each to a value: no news once it is there. */
  const raiseAll = (value: number, known: Counter[]) => {
    const entry = () => ({ id: newId(), time: new Date().toISOString() });
    const raise = (document: Counter) =>
      guardedUpdate<Counter, OutboxEntry>(
        counters,
        document._id,
        notFound,
        (found) => (found.value < value ? { set: { value }, events: [entry()] } : undefined),
        { known: document, writes },
      );
    return known.map(raise);
  };
  const stored = () => counters.find().sort({ _id: 1 }).lean<Counter[]>();

  test('are one command, and each is told as it was stored', async () => {
    using log = logCommands(mongo.connection);
    const raised = await Promise.all(raiseAll(1, await stored()));
    expect(log.commands).toEqual(['find counters', 'update counters']);
    expect(raised.map(({ changed }) => changed)).toEqual(ids.map(() => true));
    const times = { updated_at: expect.any(Date) };
    expect((await stored()).map((counter) => ({ ...counter, ...times }))).toEqual(
      raised.map(({ document }) => ({ ...document, ...times })),
    );
    // What was told is known again.
    const again = raised.map(({ document }) => document);
    await Promise.all(raiseAll(2, again));
    expect(await stored()).toMatchObject(ids.map((_id) => ({ _id, value: 2, version: 3 })));
  });

  test('are decided anew where one of them was changed meanwhile, and none is made twice', async () => {
    const known = await stored();
    await counters.updateOne({ _id: 'b' }, { $set: { value: -5 }, $inc: { version: 1 } });
    await counters.updateOne({ _id: 'c' }, { $set: { value: 7 }, $inc: { version: 1 } });
    await Promise.all(raiseAll(1, known));
    const after = await stored();
    expect(after).toMatchObject([
      { _id: 'a', value: 1, version: 2 },
      { _id: 'b', value: 1, version: 3 },
      { _id: 'c', value: 7, version: 2 },
      { _id: 'd', value: 1, version: 2 },
    ]);
    expect(after.map(({ outbox }) => outbox.length)).toEqual([1, 1, 0, 1]);
  });

  test('are refused for one that is gone, and made for the others', async () => {
    const known = await stored();
    await counters.deleteOne({ _id: 'a' });
    const [gone, ...others] = await Promise.allSettled(raiseAll(1, known));
    expect(gone).toMatchObject({ status: 'rejected', reason: { code: 'RESOURCE_NOT_FOUND' } });
    expect(others.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
    expect(await counters.countDocuments({ value: 1, version: 2 })).toBe(3);
  });
});
