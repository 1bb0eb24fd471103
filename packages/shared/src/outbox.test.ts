import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Model } from 'mongoose';
import { PlatformError } from './errors.ts';
import { guardedUpdate } from './guarded-update.ts';
import { newId } from './ids.ts';
import { createLogger } from './logger.ts';
import { connectMongo, type Mongo } from './mongo.ts';
import { Outbox, type OutboxEntry } from './outbox.ts';
import { metrics } from './telemetry/metrics.ts';
import { type Counter, counterSchema } from './testing/counter.ts';
import { testEnvironment } from './testing/environment.ts';
import { until } from './testing/until.ts';

const log = createLogger('test', 'silent');
const entry = (time = new Date()): OutboxEntry => ({ id: newId(), time: time.toISOString() });
const notFound = () => new PlatformError('RESOURCE_NOT_FOUND', 'no counter');

describe('an aggregate with an outbox', () => {
  const environment = testEnvironment();
  let mongo: Mongo;
  let counters: Model<Counter>;

  beforeAll(async () => {
    mongo = await connectMongo(environment.env.MONGODB_URI ?? '', 'counters', log);
    counters = mongo.connection.model<Counter>('Counter', counterSchema);
    await counters.createIndexes();
  });
  beforeEach(async () => {
    await counters.deleteMany({});
    await counters.create({ _id: 'c', value: 0, version: 1, updated_at: new Date(), outbox: [] });
  });
  afterAll(async () => {
    await mongo[Symbol.asyncDispose]();
    await environment[Symbol.asyncDispose]();
  });

  const increment = () =>
    guardedUpdate(counters, 'c', notFound, ({ value }) => ({ set: { value: value + 1 }, events: [entry()] }));
  const stored = () => counters.findById('c').lean();

  test('changes made at the same time are all kept, each with its entry', async () => {
    await Promise.all(Array.from({ length: 5 }, increment));
    expect(await stored()).toMatchObject({ value: 5, version: 6 });
    expect((await stored())?.outbox).toHaveLength(5);
  });

  test('a change that decides for nothing writes nothing', async () => {
    const { changed } = await guardedUpdate(counters, 'c', notFound, () => undefined);
    expect(changed).toBe(false);
    expect(await stored()).toMatchObject({ version: 1 });
  });

  test('a deleted aggregate is not found', async () => {
    await counters.updateOne({ _id: 'c' }, { $set: { deleted_at: new Date() } });
    await expect(increment()).rejects.toMatchObject({ code: 'RESOURCE_NOT_FOUND' });
  });

  test('entries are told in order, once, and removed', async () => {
    const told: string[] = [];
    const outbox = new Outbox<OutboxEntry>(counters.collection, async ({ id }) => void told.push(id), log);
    const first = await increment();
    const second = await increment();
    await Promise.all([outbox.flush(first.document), outbox.flush(second.document)]);
    expect(told).toEqual(second.document.outbox.map(({ id }) => id));
    expect(outbox.untold(second.document)).toEqual([]);
    await outbox[Symbol.asyncDispose]();
    expect((await stored())?.outbox).toEqual([]);
  });

  test('an entry that cannot be told stays, and holds back those after it', async () => {
    const told: string[] = [];
    let broken = true;
    const tell = async ({ id }: OutboxEntry) => {
      if (broken) throw new Error('the broker is away');
      told.push(id);
    };
    const outbox = new Outbox<OutboxEntry>(counters.collection, tell, log);
    const old = [entry(new Date(Date.now() - 60_000)), entry(new Date(Date.now() - 59_000))];
    const { document } = await guardedUpdate(counters, 'c', notFound, () => ({ set: { value: 1 }, events: old }));
    await outbox.flush(document);
    expect((await stored())?.outbox).toHaveLength(2);
    expect(outbox.untold(document)).toHaveLength(2);
    broken = false;
    await outbox.sweep();
    expect(told).toEqual(old.map(({ id }) => id));
    await outbox[Symbol.asyncDispose]();
    expect((await stored())?.outbox).toEqual([]);
  });

  test('what is told is given the document as it was written, or as it was left', async () => {
    const values: unknown[] = [];
    const tell = async (_entry: OutboxEntry, { value, version }: Counter) => void values.push([value, version]);
    const outbox = new Outbox<OutboxEntry, Counter>(counters.collection, tell, log, { whole: true });
    const { document } = await increment();
    await outbox.flush(document);
    await outbox[Symbol.asyncDispose]();
    const left = [entry(new Date(Date.now() - 60_000))];
    await guardedUpdate(counters, 'c', notFound, () => ({ set: { value: 7 }, events: left }));
    await outbox.sweep();
    expect(values).toEqual([
      [1, 2],
      [7, 3],
    ]);
  });

  test('a change is decided on what is known, and anew when that is no longer so', async () => {
    const known = await stored();
    if (!known) throw new Error('no counter');
    const values: number[] = [];
    const change = () =>
      guardedUpdate(
        counters,
        'c',
        notFound,
        ({ value }) => {
          values.push(value);
          return { set: { value: value + 1 }, events: [] };
        },
        { known },
      );
    await change();
    await change();
    expect(values).toEqual([0, 0, 1]);
    expect(await stored()).toMatchObject({ value: 2, version: 3 });
  });

  test('the sweep leaves entries to those who just wrote them', async () => {
    const told: string[] = [];
    const outbox = new Outbox<OutboxEntry>(counters.collection, async ({ id }) => void told.push(id), log);
    await increment();
    await outbox.sweep();
    expect(told).toEqual([]);
  });

  test('how long the oldest entry has been left is told to the metrics', async () => {
    const age = async () => (await metrics.getSingleMetric('outbox_oldest_age_seconds')?.get())?.values[0]?.value;
    let fails = true;
    const tell = async () => {
      if (fails) throw new Error('the broker is away');
    };
    await using outbox = new Outbox<OutboxEntry>(counters.collection, tell, log);
    expect(await age()).toBe(0);
    const [old, older] = [entry(new Date(Date.now() - 60_000)), entry(new Date(Date.now() - 90_000))];
    await counters.updateOne({ _id: 'c' }, { $set: { outbox: [older, old] } });
    await outbox.sweep();
    expect(await age()).toBeGreaterThanOrEqual(90);
    fails = false;
    await outbox.sweep();
    await until('it is told and removed', async () => (await stored())?.outbox.length === 0);
    await outbox.sweep();
    expect(await age()).toBe(0);
  });

  test('left entries are found by an index', async () => {
    const plan = await counters.collection.find({ 'outbox.time': { $lt: 'z' } }).explain('queryPlanner');
    expect(JSON.stringify(plan)).toContain('IXSCAN');
    expect(JSON.stringify(plan.queryPlanner)).not.toContain('COLLSCAN');
  });
});
