import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Connection, Schema } from 'mongoose';
import { createLogger } from '../logger.ts';
import { connectMongo, type Mongo } from '../mongo.ts';
import { testEnvironment } from '../testing/environment.ts';
import { awaitMigration } from './await-migration.ts';
import type { Database } from './database.ts';
import { lockMigrations } from './lock.ts';
import { lackingOf, migrate } from './migrate.ts';

const log = createLogger('test', 'silent');
const environment = testEnvironment();
const uri = environment.env.MONGODB_URI ?? '';
let mongo: Mongo;

/** A database of one collection, in a version that asks for these indexes. */
function version(name: string, ...indexes: [Record<string, 1 | -1>, object?][]): Database {
  const schema = new Schema(
    { _id: String, a: Number, b: Number, until: Date },
    { collection: 'things', autoIndex: false },
  );
  for (const [keys, options] of indexes) schema.index(keys, options);
  return { name: 'things', models: (connection: Connection) => [connection.model(`Thing of ${name}`, schema)] };
}

const first = version('1', [{ a: 1 }, { unique: true }], [{ until: 1 }, { expireAfterSeconds: 60 }]);

beforeAll(async () => {
  mongo = await connectMongo(uri, 'things', log);
});
beforeEach(async () => {
  await mongo.connection.db?.dropDatabase();
});
afterAll(async () => {
  await mongo[Symbol.asyncDispose]();
  await environment[Symbol.asyncDispose]();
});

const things = () => mongo.connection.collection('things');
const keysOf = async () => (await things().indexes()).map(({ key }) => Object.keys(key).join());

describe('a migration', () => {
  test('makes what the models ask for, and nothing when it is done again', async () => {
    expect(await migrate(uri, first, log)).toEqual(['things {"a":1} (unique)', 'things {"until":1}']);
    expect(await migrate(uri, first, log)).toEqual([]);
    expect(await things().indexes()).toEqual([
      expect.objectContaining({ key: { _id: 1 } }),
      expect.objectContaining({ key: { a: 1 }, unique: true }),
      expect.objectContaining({ key: { until: 1 }, expireAfterSeconds: 60 }),
    ]);
  });

  test('is done by one of several at once; the others find nothing to do', async () => {
    const made = await Promise.all([1, 2, 3].map(() => migrate(uri, first, log)));
    expect(made.map(({ length }) => length).toSorted()).toEqual([0, 0, 2]);
  });

  test('leaves what people added for themselves, and makes anew what is asked for otherwise', async () => {
    await migrate(uri, first, log);
    await things().createIndex({ b: -1 });
    const second = version('2', [{ a: 1 }, { unique: true }], [{ until: 1 }, { expireAfterSeconds: 90 }]);
    expect(await migrate(uri, second, log)).toEqual(['things {"until":1}']);
    const indexes = await things().indexes();
    expect(indexes.find(({ key }) => key.until)).toMatchObject({ expireAfterSeconds: 90 });
    expect(await keysOf()).toEqual(expect.arrayContaining(['_id', 'a', 'b', 'until']));
  });

  test('takes an index under the name that another one had', async () => {
    await migrate(uri, version('1b', [{ a: 1 }, { name: 'the_one' }]), log);
    await migrate(uri, version('2b', [{ b: 1 }, { name: 'the_one' }]), log);
    expect(await keysOf()).toEqual(['_id', 'b']);
  });

  test('drops what is retired', async () => {
    await migrate(uri, first, log);
    await migrate(uri, { ...version('3', [{ b: 1 }]), retired: { things: [{ a: 1 }] } }, log);
    expect(await keysOf()).toEqual(expect.not.arrayContaining(['a']));
  });

  test('fails when documents break what an index promises, keeps the rest, and can be done again', async () => {
    await things().insertMany([{ a: 1 }, { a: 1 }]);
    const both = version('4', [{ b: 1 }], [{ a: 1 }, { unique: true }]);
    await expect(migrate(uri, both, log)).rejects.toThrow(/duplicate key/);
    expect(await keysOf()).toEqual(['_id', 'b']);
    await things().deleteMany({});
    expect(await migrate(uri, both, log)).toEqual(['things {"a":1} (unique)']);
  });
});

describe('the lock of migrations', () => {
  test('is taken over from who died, and not from who works', async () => {
    const { connection } = mongo;
    const times = { heldMs: 300, pauseMs: 20, waitMs: 700 };
    // Renewed all the while: whoever wants it gives up.
    const held = await lockMigrations(connection, log, times);
    await expect(lockMigrations(connection, log, times)).rejects.toThrow(/has held the lock/);
    await held[Symbol.asyncDispose]();
    await connection.collection('migrations').insertOne({
      ...({ _id: 'lock' } as object),
      holder: 'dead',
      expires_at: new Date(Date.now() + 100),
    });
    await using _taken = await lockMigrations(connection, log, times);
    expect(await connection.collection('migrations').findOne()).not.toMatchObject({ holder: 'dead' });
  });
});

describe('a replica', () => {
  test('waits until the database has been migrated', async () => {
    const waiting = awaitMigration(mongo.connection, first, log, { waitMs: 20_000, pauseMs: 20 });
    await migrate(uri, first, log);
    await expect(waiting).resolves.toBeUndefined();
    expect(await lackingOf(mongo.connection, first)).toEqual([]);
  });

  test('runs on an index of a later version that promises something else, unless it is to be unique', async () => {
    const later = version('later', [{ a: 1 }, { unique: true }], [{ until: 1 }, { expireAfterSeconds: 90 }]);
    await migrate(uri, later, log);
    const brief = { waitMs: 1, pauseMs: 5 };
    await expect(awaitMigration(mongo.connection, first, log, brief)).resolves.toBeUndefined();
    const laxer = version('laxer', [{ a: 1 }], [{ until: 1 }]);
    await migrate(uri, laxer, log);
    await expect(awaitMigration(mongo.connection, first, log, brief)).rejects.toThrow(
      /lacks things \{"a":1\} \(unique\):/,
    );
  });

  test('says what is lacking when nobody migrates', async () => {
    await expect(awaitMigration(mongo.connection, first, log, { waitMs: 1, pauseMs: 5 })).rejects.toThrow(
      /things \{"a":1\} \(unique\) and 1 more indexes: run its migration \(npm run migrate\)/,
    );
  });
});
