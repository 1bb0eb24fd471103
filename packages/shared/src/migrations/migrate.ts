import type { Connection, mongo } from 'mongoose';
import type { Logger } from '../logger.ts';
import { connectMongo } from '../mongo.ts';
import type { Database } from './database.ts';
import { describeIndex, type LackingIndex, lackingIndexes } from './indexes.ts';
import { lockMigrations } from './lock.ts';
import { dropRetiredIndexes } from './retired-indexes.ts';

/**
 * Bring a service's database to what its models ask for: make the indexes that are lacking, and drop those that are retired.
 * Harmless when done again; of several at once one works and the others wait. A death in the middle leaves what was done.
 * @returns the indexes that were made, for people
 * @throws Error of the database when an index cannot be made, such as a unique one over documents that are not
 */
export async function migrate(uri: string, database: Database, log: Logger): Promise<string[]> {
  // Making an index over many documents takes as long as it takes.
  await using mongo = await connectMongo(uri, database.name, log, { socketTimeoutMS: 0 });
  const { connection } = mongo;
  await using _lock = await lockMigrations(connection, log);
  const lacking = await lackingOf(connection, database);
  for (const index of lacking) await makeIndex(connection, index, log);
  await dropRetiredIndexes(connection, database.retired ?? {}, log);
  return lacking.map(describeIndex);
}

/** Indexes that a database lacks. */
export async function lackingOf(connection: Connection, { models }: Database): Promise<LackingIndex[]> {
  return (await Promise.all(models(connection).map(lackingIndexes))).flat();
}

async function makeIndex({ db }: Connection, index: LackingIndex, log: Logger): Promise<void> {
  const collection = db?.collection(index.collection);
  if (index.instead !== undefined) {
    // An index cannot be changed. Meanwhile its queries are slow, and what it promises is not kept.
    await collection?.dropIndex(index.instead);
    log.warn(
      { collection: index.collection, index: index.instead },
      'an index was dropped that is made anew otherwise',
    );
  }
  await collection?.createIndex(index.keys as mongo.IndexSpecification, index.options as mongo.CreateIndexesOptions);
  log.info({ collection: index.collection, keys: index.keys }, 'an index was made');
}
