import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { deserialize } from 'bson';
import { type CatalogEntry, Collection } from './collection.ts';
import { CommandError } from './errors.ts';
import { idIndex } from './index.ts';

/** The disk is told to keep what was written at most this often; the kernel has it before a client's reply. */
const syncEveryMs = 50;
const maxStatements = 2_000;
/** SQLite's numbers of errors. */
const locked = 5;
const full = 13;

/**
 * All databases, in one SQLite file, or in memory. A command is one transaction in its write-ahead log and acknowledged
 * after that is written: it survives `kill -9`. The log goes to the disk in the background at most every 50 ms, so a
 * power cut can cost that much. SQLite's lock, which ends with the process, keeps other servers out.
 */
export class Store {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #collections = new Map<string, Collection>();
  readonly #log: number | undefined;
  #syncTimer: NodeJS.Timeout | undefined;

  /** @param dir where the data is kept; memory only when absent @throws Error when another server uses the folder */
  constructor(dir: string | undefined) {
    if (dir !== undefined) fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
    const file = dir === undefined ? ':memory:' : path.join(dir, 'data.sqlite');
    this.#db = new DatabaseSync(file);
    try {
      this.#db.exec(
        'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; ' +
          'PRAGMA cache_size = -65536; PRAGMA journal_size_limit = 4194304; BEGIN IMMEDIATE; ' +
          'CREATE TABLE IF NOT EXISTS catalog (number INTEGER PRIMARY KEY AUTOINCREMENT, entry BLOB NOT NULL); COMMIT',
      );
      this.#load();
      if (dir !== undefined) this.#log = fs.openSync(`${file}-wal`, 'r+');
    } catch (error) {
      this.#db.close();
      const inUse = (error as { errcode?: number }).errcode === locked;
      throw new Error(inUse ? `${dir} is in use by another server` : `${file}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  /** All collections, in order of their names. */
  get collections(): Collection[] {
    return [...this.#collections.values()].sort((a, b) => (a.namespace < b.namespace ? -1 : 1));
  }

  /** The collection `database.name`, or undefined. */
  find(namespace: string): Collection | undefined {
    return this.#collections.get(namespace);
  }

  /** The collection, made if it does not exist. @throws CommandError InvalidNamespace */
  ensure(namespace: string): Collection {
    const found = this.#collections.get(namespace);
    if (found) return found;
    checkNamespace(namespace);
    const entry: CatalogEntry = { namespace, uuid: randomUUID().replaceAll('-', ''), lastIndex: 0, indexes: [] };
    const { lastInsertRowid } = this.#prepare('INSERT INTO catalog (entry) VALUES (?)').run(Buffer.alloc(0));
    const collection = new Collection(this.#prepare, Number(lastInsertRowid), entry);
    collection.create();
    collection.createIndex(idIndex);
    this.#collections.set(namespace, collection);
    return collection;
  }

  /** Drops a collection with its indexes. */
  drop(collection: Collection): void {
    collection.drop();
    this.#collections.delete(collection.namespace);
  }

  /** Does something as a whole or not at all. @throws CommandError when it throws, or could not be written */
  transaction<T>(run: () => T): T {
    return this.#whole('BEGIN', 'COMMIT', 'ROLLBACK', run);
  }

  /** Does a part of a transaction as a whole or not at all. */
  attempt<T>(run: () => T): T {
    return this.#whole('SAVEPOINT part', 'RELEASE part', 'ROLLBACK TO part; RELEASE part', run);
  }

  /** Gives the folder back. */
  close(): void {
    if (!this.#db.isOpen) return;
    clearTimeout(this.#syncTimer);
    this.#db.close();
    if (this.#log !== undefined) fs.closeSync(this.#log);
  }

  #whole<T>(begin: string, commit: string, rollback: string, run: () => T): T {
    this.#db.exec(begin);
    try {
      const result = run();
      this.#db.exec(commit);
      this.#syncSoon();
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec(rollback);
      this.#load();
      const { code, errcode = 0, message } = error as Error & { code?: string; errcode?: number };
      if (code !== 'ERR_SQLITE_ERROR') throw error;
      if (!this.#db.isTransaction) this.#shorten();
      throw new CommandError(
        errcode === full ? 'OutOfDiskSpace' : 'InternalError',
        `the write was not done: ${message}`,
      );
    }
  }

  /** Writes the log into the file and empties it, which may make room after a write that found none. */
  #shorten(): void {
    try {
      this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {
      // The next write will say so.
    }
  }

  #prepare = (sql: string): StatementSync => {
    const found = this.#statements.get(sql);
    if (found) return found;
    const statement = this.#db.prepare(sql);
    // A scan of an index may run beside others of the same text, so it has a statement of its own.
    if (sql.startsWith('SELECT i.key')) return statement;
    if (this.#statements.size >= maxStatements) this.#statements.clear();
    this.#statements.set(sql, statement);
    return statement;
  };

  #load(): void {
    this.#collections.clear();
    for (const { number, entry } of this.#prepare('SELECT number, entry FROM catalog').all()) {
      const known = deserialize(entry as Uint8Array, { bsonRegExp: true }) as CatalogEntry;
      this.#collections.set(known.namespace, new Collection(this.#prepare, number as number, known));
    }
  }

  #syncSoon(): void {
    const log = this.#log;
    if (log === undefined) return;
    this.#syncTimer ??= setTimeout(() => {
      this.#syncTimer = undefined;
      fs.fdatasync(log, () => undefined);
    }, syncEveryMs).unref();
  }
}

function checkNamespace(namespace: string): void {
  const dot = namespace.indexOf('.');
  const [database, name] = [namespace.slice(0, dot), namespace.slice(dot + 1)];
  if (name === '' || /[$\0]|^\.|^system\./.test(name) || namespace.length > 255) {
    throw new CommandError('InvalidNamespace', `Invalid collection name: ${namespace}`);
  }
  if (database === '' || database.length > 63 || /[/\\. "$*<>:|?\0]/.test(database)) {
    throw new CommandError('InvalidNamespace', `Invalid database name: ${database}`);
  }
}
