import mongoose, { type Connection, type mongo } from 'mongoose';
import { watchHeartbeats } from './heartbeats.ts';
import type { Logger } from './logger.ts';
import { traceCommands } from './telemetry/database.ts';
import { recordsSpans } from './telemetry/tracing.ts';

/** Connections of this process to MongoDB. */
export interface PoolCounts {
  active: number;
  idle: number;
  total: number;
}

/** A service's own database. */
export interface Mongo extends AsyncDisposable {
  connection: Connection;
  /** Milliseconds of a ping. @throws when the database does not answer within 2 s */
  ping(): Promise<number>;
  pool(): PoolCounts;
}

const duplicateKey = 11000;

/**
 * Whether a write failed because another document has the same unique key (E11000); of a bulk, whether each of its writes that
 * failed did so for that.
 */
export function isDuplicateKey(error: unknown): boolean {
  const { code, writeErrors = [] } = (error ?? {}) as { code?: unknown; writeErrors?: { code?: unknown }[] };
  return code === duplicateKey && [writeErrors].flat().every((each) => each.code === duplicateKey);
}

/**
 * Which writes of a bulk that is not ordered failed, by their place in it.
 * @throws the error itself when it is not about single writes
 */
export function failedWrites(error: unknown): Map<number, Error> {
  const { writeErrors } = (error ?? {}) as { writeErrors?: mongo.WriteError | mongo.WriteError[] };
  const failures = [writeErrors ?? []].flat();
  if (failures.length === 0) throw error;
  return new Map(
    failures.map(({ index, code, errmsg }) => {
      const error = Object.assign(new Error(errmsg ?? 'a write failed'), { name: 'MongoServerError', code });
      return [index, error];
    }),
  );
}

/**
 * Insert documents, each as if alone: what keeps one from being stored does not keep the others.
 * @param collection of the driver or of mongoose
 * @returns for each undefined, or why it was not stored. Rejects when it is not known of any.
 */
export async function insertEach(collection: unknown, documents: readonly object[]): Promise<(undefined | Error)[]> {
  const stored = collection as mongo.Collection;
  const failed = await stored
    .insertMany([...documents], { ordered: false, ignoreUndefined: true })
    .then(() => undefined, failedWrites);
  return documents.map((_, place) => failed?.get(place));
}

/**
 * Do writes, each as if alone.
 * @param collection of the driver or of mongoose
 * @returns for each undefined, or why it was not done. Rejects when it is not known of any.
 */
export async function writeEach(
  collection: unknown,
  writes: readonly mongo.AnyBulkWriteOperation[],
): Promise<(undefined | Error)[]> {
  const stored = collection as mongo.Collection;
  const failed = await stored.bulkWrite([...writes], { ordered: false }).then(() => undefined, failedWrites);
  return writes.map((_, place) => failed?.get(place));
}

/** Take a write that another document with the same unique key refused as done; throw any other error. */
export function ignoreDuplicateKey(error: unknown): void {
  if (!isDuplicateKey(error)) throw error;
}

/** Name in the URI, or claude_cli, that starts the name of each service's database. */
export function databasePrefix(uri: string): string {
  const path = new URL(uri.replace(/^mongodb(\+srv)?:/, 'http:').replace(/,[^/]*/, '')).pathname.slice(1);
  return path === '' ? 'claude_cli' : decodeURIComponent(path);
}

/**
 * Connect to a service's own database, `<prefix>_<name>`. Resolves when connected; afterwards the driver reconnects by
 * itself, and an operation that finds no server fails after 5 s; should it ever stop looking for one, the process ends by an
 * uncaught exception. Indexes are made by migrations alone.
 * @param own options that differ from the usual
 */
export async function connectMongo(
  uri: string,
  name: string,
  log: Logger,
  own: { socketTimeoutMS?: number } = {},
): Promise<Mongo> {
  mongoose.set('strictQuery', 'throw');
  const connection = mongoose.createConnection(uri, {
    dbName: `${databasePrefix(uri)}_${name}`,
    appName: name,
    serverSelectionTimeoutMS: 5_000,
    socketTimeoutMS: 60_000,
    maxPoolSize: 50,
    // Commands fail fast instead of waiting in memory while the database is away.
    bufferCommands: false,
    autoCreate: false,
    autoIndex: false,
    // Costs something even where no trace is recorded: the driver reads answers for those who hear of them.
    ...(recordsSpans() && { monitorCommands: true }),
    ...own,
  });
  connection.on('error', (err) => log.warn({ err }, 'database connection failed'));
  connection.on('disconnected', () => log.warn('database disconnected'));
  connection.on('reconnected', () => log.info('database reconnected'));
  await connection.asPromise();
  if (recordsSpans()) traceCommands(connection.getClient());
  const counts = countConnections(connection);
  const heartbeats = watchHeartbeats(connection.getClient());
  return {
    connection,
    ping: async () => {
      const started = performance.now();
      await connection.db?.command({ ping: 1 }, { timeoutMS: 2_000 });
      return performance.now() - started;
    },
    pool: () => ({ active: counts.active, idle: counts.total - counts.active, total: counts.total }),
    [Symbol.asyncDispose]: () => {
      heartbeats[Symbol.dispose]();
      connection.removeAllListeners('disconnected');
      return connection.close();
    },
  };
}

function countConnections(connection: Connection): { active: number; total: number } {
  const counts = { active: 0, total: 0 };
  const client = connection.getClient();
  client.on('connectionCreated', () => counts.total++);
  client.on('connectionClosed', () => counts.total--);
  client.on('connectionCheckedOut', () => counts.active++);
  client.on('connectionCheckedIn', () => counts.active--);
  return counts;
}
