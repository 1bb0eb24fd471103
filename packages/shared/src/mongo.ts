import mongoose, { type Connection } from 'mongoose';
import type { Logger } from './logger.ts';

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

/** Whether a write failed because another document has the same unique key (E11000). */
export function isDuplicateKey(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === 11000;
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
 * itself, and an operation that finds no server fails after 5 s.
 */
export async function connectMongo(uri: string, name: string, log: Logger): Promise<Mongo> {
  mongoose.set('strictQuery', 'throw');
  const connection = mongoose.createConnection(uri, {
    dbName: `${databasePrefix(uri)}_${name}`,
    appName: name,
    serverSelectionTimeoutMS: 5_000,
    socketTimeoutMS: 60_000,
    maxPoolSize: 50,
    // Commands fail fast instead of waiting in memory while the database is away.
    bufferCommands: false,
    autoCreate: true,
    autoIndex: true,
  });
  connection.on('error', (err) => log.warn({ err }, 'database connection failed'));
  connection.on('disconnected', () => log.warn('database disconnected'));
  connection.on('reconnected', () => log.info('database reconnected'));
  await connection.asPromise();
  const counts = countConnections(connection);
  return {
    connection,
    ping: async () => {
      const started = performance.now();
      await connection.db?.command({ ping: 1 }, { timeoutMS: 2_000 });
      return performance.now() - started;
    },
    pool: () => ({ active: counts.active, idle: counts.total - counts.active, total: counts.total }),
    [Symbol.asyncDispose]: () => {
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
