import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { deserialize } from 'bson';
import { LRUCache } from 'lru-cache';
import { type CatalogEntry, Collection, type Stored, type Tables } from './collection.ts';
import { CommandError } from './errors.ts';
import { idIndex } from './index.ts';
import { Undo } from './undo.ts';

/** The disk is told to keep what was written at most this often; the kernel has it before a client's reply. */
const syncEveryMs = 50;
const maxStatements = 2_000;
/**
 * The log is written into the file when it has so many pages of 4 KiB: pages that change again and again, as those of indexes do,
 * are then written there once. After a crash so much has to be read again.
 */
const logPages = 8_000;
/** BSON of the documents that are remembered, in bytes. */
const recentBytes = 4 * 1024 * 1024;

/** SQLite's numbers of errors. */
const locked = 5;
const full = 13;

/**
 * All databases, in one SQLite file, or in memory. A command is done as a whole, and acknowledged after SQLite's write-ahead
 * log has it: it survives `kill -9`. Commands that arrive together share one transaction, each as a part of it. The log goes to the disk in the background at most every 50 ms, so a
 * power cut can cost that much. SQLite's lock, which ends with the process, keeps other servers out.
 */
export class Store {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  /** Statements of scans that none uses now. */
  readonly #scans = new Map<string, StatementSync[]>();
  readonly #collections = new Map<string, Collection>();
  readonly #recent = new LRUCache<string, Stored>({
    maxSize: recentBytes,
    sizeCalculation: ({ bytes }) => bytes.length,
  });
  readonly #log: number | undefined;
  #syncTimer: NodeJS.Timeout | undefined;
  /** A transaction is under way. */
  #isBusy = false;
  /** Of the part of it that is under way. */
  #undo: Undo | undefined;
  /** Whether what is taken back may be of the catalog. */
  #catalogChanged = false;

  /** @param dir where the data is kept; memory only when absent @throws Error when another server uses the folder */
  constructor(dir: string | undefined) {
    if (dir !== undefined) fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
    const file = dir === undefined ? ':memory:' : path.join(dir, 'data.sqlite');
    this.#db = new DatabaseSync(file);
    try {
      this.#db.exec(
        'PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; ' +
          `PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = ${logPages}; ` +
          `PRAGMA journal_size_limit = ${logPages * 4096}; BEGIN IMMEDIATE; ` +
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
    this.#tables.catalogChanges();
    const { lastInsertRowid } = this.#prepare('INSERT INTO catalog (entry) VALUES (?)').run(Buffer.alloc(0));
    const collection = new Collection(this.#tables, Number(lastInsertRowid), entry);
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

  /**
   * Does something as a whole or not at all; within another transaction it is a part, of which that can go on without. What is
   * done within a part belongs to it.
   * @throws CommandError when it throws, or could not be written
   */
  transaction<T>(run: () => T): T {
    if (this.#undo) return run();
    return this.#isBusy ? this.#part(run) : this.#whole(run);
  }

  /** Does several things, of which each is a transaction, with one writing of the log. */
  together<T>(run: () => T): T {
    return this.#isBusy ? run() : this.#whole(run);
  }

  /** Gives the folder back. */
  close(): void {
    if (!this.#db.isOpen) return;
    clearTimeout(this.#syncTimer);
    this.#db.close();
    if (this.#log !== undefined) fs.closeSync(this.#log);
  }

  #whole<T>(run: () => T): T {
    this.#catalogChanged = false;
    this.#isBusy = true;
    try {
      this.#prepare('BEGIN').run();
      const result = run();
      this.#prepare('COMMIT').run();
      this.#syncSoon();
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#prepare('ROLLBACK').run();
      this.#forget();
      throw this.#failure(error);
    } finally {
      this.#isBusy = false;
    }
  }

  #part<T>(run: () => T): T {
    // SQLite may have rolled everything back when it found no room for a part.
    if (!this.#db.isTransaction) throw notDone('a part of its transaction failed');
    const undo = new Undo((sql) => this.#prepare(sql));
    this.#undo = undo;
    try {
      const result = run();
      undo.keep();
      return result;
    } catch (error) {
      this.#takeBack(undo);
      throw this.#failure(error);
    } finally {
      this.#undo = undefined;
    }
  }

  #takeBack(undo: Undo): void {
    try {
      if (this.#db.isTransaction) undo.takeBack();
    } catch {
      // Half of the part must not stay.
      if (this.#db.isTransaction) this.#prepare('ROLLBACK').run();
    }
    this.#forget();
  }

  /** What is remembered may have been taken back. */
  #forget(): void {
    this.#recent.clear();
    if (this.#catalogChanged) this.#load();
  }

  /** What a client is told of an error. */
  #failure(error: unknown): unknown {
    const { code, errcode = 0, message } = error as Error & { code?: string; errcode?: number };
    if (code !== 'ERR_SQLITE_ERROR') return error;
    if (!this.#db.isTransaction) this.#shorten();
    return notDone(message, errcode);
  }

  /** Writes the log into the file and empties it, which may make room after a write that found none. */
  #shorten(): void {
    try {
      this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {
      // The next write will say so.
    }
  }

  #prepare(sql: string): StatementSync {
    const found = this.#statements.get(sql);
    if (found) return found;
    const statement = this.#db.prepare(sql);
    if (this.#statements.size >= maxStatements) this.#statements.clear();
    this.#statements.set(sql, statement);
    return statement;
  }

  /** A scan may run beside others of the same text, so each has a statement of its own while it runs. */
  *#scan(sql: string, values: readonly SQLInputValue[]): Generator<Record<string, SQLOutputValue>> {
    let idle = this.#scans.get(sql);
    if (!idle) {
      if (this.#scans.size >= maxStatements) this.#scans.clear();
      idle = [];
      this.#scans.set(sql, idle);
    }
    const statement = idle.pop() ?? this.#db.prepare(sql);
    try {
      yield* statement.iterate(...values);
    } finally {
      idle.push(statement);
    }
  }

  readonly #tables: Tables = {
    prepare: (sql) => this.#prepare(sql),
    scan: (sql, ...values) => this.#scan(sql, values),
    recent: this.#recent,
    changed: (sql, ...values) => this.#undo?.note(sql, values),
    catalogChanges: () => {
      this.#catalogChanged = true;
      this.#undo?.guard();
    },
  };

  #load(): void {
    this.#collections.clear();
    for (const { number, entry } of this.#prepare('SELECT number, entry FROM catalog').all()) {
      const known = deserialize(entry as Uint8Array, { bsonRegExp: true }) as CatalogEntry;
      this.#collections.set(known.namespace, new Collection(this.#tables, number as number, known));
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

function notDone(reason: string, errcode = full): CommandError {
  return new CommandError(errcode === full ? 'OutOfDiskSpace' : 'InternalError', `the write was not done: ${reason}`);
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
