import type { SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import { serialize } from 'bson';
import type { LRUCache } from 'lru-cache';
import { CommandError } from './errors.ts';
import { Index, type IndexSpec } from './index.ts';
import { KeyTables } from './key-tables.ts';
import type { Range } from './planner.ts';
import { KnownKeys } from './sort.ts';
import type { Change } from './update.ts';
import { assertDocumentSize, type Doc, read } from './values.ts';

/** The tables that collections are kept in. */
export interface Tables {
  /** The prepared statement of an SQL text, for one use at a time. */
  prepare(sql: string): StatementSync;
  /** The rows of a query, while others of the same text may be read, too. */
  scan(sql: string, ...values: SQLInputValue[]): Iterable<Record<string, SQLOutputValue>>;
  /**
   * Documents that were found by their `_id` or changed, by the number of the collection and the key of the `_id`; empty after
   * every rollback. What is changed several times in a moment is so read from its table once.
   */
  readonly recent: Pick<LRUCache<string, Stored>, 'get' | 'set' | 'delete'>;
  /** Has to be called after each change of a row, with the statement that reverses it. */
  changed(sql: string, ...values: SQLInputValue[]): void;
  /** Has to be called before the catalog, or which tables there are, changes. */
  catalogChanges(): void;
}

/** One version of a document. The BSON is the truth; its form in JavaScript is made when first asked for. */
export class Stored {
  readonly record: number;
  readonly bytes: Uint8Array;
  #doc: Doc | undefined;

  /** @param doc its form in JavaScript, where that is there already */
  constructor(record: number, bytes: Uint8Array, doc?: Doc) {
    this.record = record;
    this.bytes = bytes;
    this.#doc = doc;
  }

  /** The document; shared, so it must not be changed. */
  get doc(): Doc {
    this.#doc ??= read(this.bytes);
    return this.#doc;
  }
}

/** An index as the catalog keeps it. */
export interface IndexEntry {
  readonly number: number;
  readonly spec: IndexSpec;
  readonly multikey: readonly boolean[];
}

/** What the catalog knows of a collection. */
export interface CatalogEntry {
  readonly namespace: string;
  readonly uuid: string;
  readonly lastIndex: number;
  readonly indexes: readonly IndexEntry[];
}

/** A collection: a table of documents in order of insertion, and a table of keys for each index. */
export class Collection {
  readonly number: number;
  readonly namespace: string;
  readonly uuid: string;
  readonly #tables: Tables;
  readonly #keyTables: KeyTables;
  readonly #docs: string;
  #lastIndex: number;
  #indexes: Index[];

  constructor(tables: Tables, number: number, entry: CatalogEntry) {
    this.#tables = tables;
    this.number = number;
    this.namespace = entry.namespace;
    this.#keyTables = new KeyTables(tables, entry.namespace);
    this.uuid = entry.uuid;
    this.#docs = `docs_${number}`;
    this.#lastIndex = entry.lastIndex;
    this.#indexes = entry.indexes.map(
      (each) => new Index(each.spec, this.#keys(each.number), each.number, each.multikey),
    );
  }

  /** The name without the database. */
  get name(): string {
    return this.namespace.slice(this.namespace.indexOf('.') + 1);
  }

  /** The database. */
  get database(): string {
    return this.namespace.slice(0, this.namespace.indexOf('.'));
  }

  get indexes(): readonly Index[] {
    return this.#indexes;
  }

  /** The number of documents. */
  get count(): number {
    return Number(this.#tables.prepare(`SELECT count(*) n FROM ${this.#docs}`).get()?.n);
  }

  /** The sum of the documents' sizes in bytes. */
  get bytes(): number {
    return Number(this.#tables.prepare(`SELECT coalesce(sum(length(bson)), 0) n FROM ${this.#docs}`).get()?.n);
  }

  /** All documents in order of insertion, or backwards. They must not be changed while this goes on. */
  *all(reverse = false): Generator<Stored> {
    const sql = `SELECT record, bson FROM ${this.#docs} ORDER BY record${reverse ? ' DESC' : ''}`;
    for (const row of this.#tables.scan(sql)) yield new Stored(row.record as number, row.bson as Uint8Array);
  }

  /** The documents of a range of an index with their keys; with arrays the same document can come again. */
  *scan(index: Index, range: Range, reverse: boolean): Generator<{ key: string; doc: Stored }> {
    const { low, high, fixed } = range;
    // A whole key, and so one document at most.
    const isKey = fixed > 0 && fixed === low.length;
    const recent = index === this.#idIndex && isKey ? this.#placeOf(low) : undefined;
    const known = recent === undefined ? undefined : this.#tables.recent.get(recent);
    if (known) return yield { key: low, doc: known };
    const sql =
      `SELECT i.key, d.record, d.bson FROM ${index.table} i CROSS JOIN ${this.#docs} d ON d.record = i.record ` +
      `WHERE i.key >= ? AND i.key < ? ORDER BY i.key${reverse ? ' DESC' : ''}`;
    const rows = this.#tables.scan(sql, Buffer.from(low, 'latin1'), Buffer.from(high, 'latin1'));
    for (const { key, record, bson } of rows) {
      const doc = new Stored(record as number, bson as Uint8Array);
      if (recent !== undefined) this.#tables.recent.set(recent, doc);
      yield { key: Buffer.from(key as Uint8Array).toString('latin1'), doc };
    }
  }

  /** How many keys of an index lie in a range, counted up to `most`. */
  countRange(index: Index, { low, high }: Range, most: number): number {
    const sql = `SELECT count(*) n FROM (SELECT 1 FROM ${index.table} WHERE key >= ? AND key < ? LIMIT ?)`;
    return Number(this.#tables.prepare(sql).get(Buffer.from(low, 'latin1'), Buffer.from(high, 'latin1'), most)?.n);
  }

  /**
   * Adds a document.
   * @param doc its form in JavaScript, where that is there already
   * @throws CommandError DuplicateKey, BSONObjectTooLarge
   */
  insert(bytes: Uint8Array, doc?: Doc): Stored {
    assertDocumentSize(bytes);
    const { lastInsertRowid } = this.#tables.prepare(`INSERT INTO ${this.#docs} (bson) VALUES (?)`).run(bytes);
    this.#tables.changed(`DELETE FROM ${this.#docs} WHERE record = ?`, lastInsertRowid);
    const stored = new Stored(Number(lastInsertRowid), bytes, doc);
    this.#reindex(undefined, stored, this.#indexes);
    return stored;
  }

  /** Puts a new version in a document's place. @throws CommandError DuplicateKey, BSONObjectTooLarge */
  replace(before: Stored, { bytes, doc, fields }: Change): Stored {
    assertDocumentSize(bytes);
    const stored = new Stored(before.record, bytes, doc);
    const put = `UPDATE ${this.#docs} SET bson = ? WHERE record = ?`;
    this.#tables.prepare(put).run(bytes, stored.record);
    this.#tables.changed(put, before.bytes, stored.record);
    this.#tables.recent.set(this.#placeOf(this.#idKeyOf(before)), stored);
    this.#reindex(
      before,
      stored,
      this.#indexes.filter((index) => index.dependsOn(fields)),
    );
    return stored;
  }

  /** Removes a document. */
  remove(doc: Stored): void {
    this.#tables.prepare(`DELETE FROM ${this.#docs} WHERE record = ?`).run(doc.record);
    this.#tables.changed(`INSERT INTO ${this.#docs} (record, bson) VALUES (?, ?)`, doc.record, doc.bytes);
    this.#tables.recent.delete(this.#placeOf(this.#idKeyOf(doc)));
    this.#reindex(doc, undefined, this.#indexes);
  }

  /** Makes the table of the documents. */
  create(): void {
    this.#tables.catalogChanges();
    this.#tables.prepare(`CREATE TABLE ${this.#docs} (record INTEGER PRIMARY KEY, bson BLOB NOT NULL)`).run();
  }

  /** Drops all tables. */
  drop(): void {
    this.#tables.catalogChanges();
    for (const table of [this.#docs, ...this.#indexes.map((index) => index.table)])
      this.#tables.prepare(`DROP TABLE ${table}`).run();
    this.#tables.prepare('DELETE FROM catalog WHERE number = ?').run(this.number);
  }

  /** Builds an index. @throws CommandError DuplicateKey when the documents break its uniqueness */
  createIndex(spec: IndexSpec): void {
    this.#tables.catalogChanges();
    const number = ++this.#lastIndex;
    const index = new Index(spec, this.#keys(number), number);
    this.#keyTables.create(index);
    for (const doc of this.all()) for (const key of index.keysOf(doc.doc)) this.#keyTables.link(index, doc, key);
    this.#indexes = [...this.#indexes, index];
    this.#save();
  }

  /** Drops an index. @throws CommandError IndexNotFound, InvalidOptions for that on _id */
  dropIndex(name: string): void {
    if (name === '_id_') throw new CommandError('InvalidOptions', 'cannot drop _id index');
    const index = this.#indexes.find(({ spec }) => spec.name === name);
    if (!index) throw new CommandError('IndexNotFound', `index not found with name [${name}]`);
    this.#tables.catalogChanges();
    this.#tables.prepare(`DROP TABLE ${index.table}`).run();
    this.#indexes = this.#indexes.filter((each) => each !== index);
    this.#save();
  }

  #save(): void {
    this.#tables.catalogChanges();
    const entry: CatalogEntry = {
      namespace: this.namespace,
      uuid: this.uuid,
      lastIndex: this.#lastIndex,
      indexes: this.#indexes.map(({ number, spec, multikey }) => ({ number, spec, multikey })),
    };
    this.#tables.prepare('INSERT OR REPLACE INTO catalog VALUES (?, ?)').run(this.number, serialize(entry));
  }

  #keys(index: number): string {
    return `keys_${this.number}_${index}`;
  }

  /** Every collection has it, from its beginning. */
  get #idIndex(): Index {
    return this.#indexes[0] as Index;
  }

  #idKeyOf({ doc }: Stored): string {
    const [key = ''] = this.#idIndex.keysOf(doc);
    return key;
  }

  #placeOf(idKey: string): string {
    return `${this.number} ${idKey}`;
  }

  #reindex(before: Stored | undefined, next: Stored | undefined, indexes: readonly Index[]): void {
    const flags = flagsOf(indexes);
    const known = new KnownKeys();
    const keysOf = (index: Index, stored: Stored | undefined) =>
      stored ? index.keysOf(stored.doc, known) : new Set<string>();
    try {
      for (const index of indexes) {
        const [old, fresh] = [keysOf(index, before), keysOf(index, next)];
        this.#keyTables.rekey(index, before, [...old.difference(fresh)], next, [...fresh.difference(old)]);
      }
    } finally {
      // Also when it failed: what is rolled back then is read from the catalog again.
      if (flagsOf(indexes) !== flags) this.#save();
    }
  }
}

function flagsOf(indexes: readonly Index[]): number {
  return indexes.reduce((sum, index) => sum + index.flags, 0);
}
