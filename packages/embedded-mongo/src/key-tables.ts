import type { SQLInputValue } from 'node:sqlite';
import type { Stored, Tables } from './collection.ts';
import type { Index } from './index.ts';

/** The number of SQLite's error for a row that breaks a constraint. */
const constraint = 19;

/** The tables in which the indexes of a collection keep their keys: each with the record of its document. */
export class KeyTables {
  readonly #tables: Tables;
  readonly #namespace: string;

  /** @param namespace of the collection, for errors */
  constructor(tables: Tables, namespace: string) {
    this.#tables = tables;
    this.#namespace = namespace;
  }

  /** Makes the table of an index. */
  create({ table, spec }: Index): void {
    const primary = spec.unique ? 'key' : 'key, record';
    const columns = `key BLOB NOT NULL, record INTEGER NOT NULL, PRIMARY KEY (${primary})`;
    this.#tables.prepare(`CREATE TABLE ${table} (${columns}) WITHOUT ROWID`).run();
  }

  /**
   * Takes keys away from a document and gives it others, each in the place of one that goes where there is one.
   * @throws CommandError DuplicateKey when another document has one of them
   */
  rekey(index: Index, before: Stored | undefined, old: string[], next: Stored | undefined, fresh: string[]): void {
    const moved = Math.min(old.length, fresh.length);
    if (before) for (const key of old.slice(moved)) this.#unlink(index, before, key);
    if (!next) return;
    for (let n = 0; n < moved; n++) this.#move(index, next, old[n] ?? '', fresh[n] ?? '');
    for (const key of fresh.slice(moved)) this.link(index, next, key);
  }

  /** Gives a document a key. @throws CommandError DuplicateKey when another one has it */
  link(index: Index, doc: Stored, key: string): void {
    const bytes = Buffer.from(key, 'latin1');
    this.#put(index, doc, key, insertKey(index), bytes, doc.record);
    this.#tables.changed(deleteKey(index), bytes, doc.record);
  }

  #unlink(index: Index, { record }: Stored, key: string): void {
    const bytes = Buffer.from(key, 'latin1');
    this.#tables.prepare(deleteKey(index)).run(bytes, record);
    this.#tables.changed(insertKey(index), bytes, record);
  }

  #move(index: Index, doc: Stored, from: string, to: string): void {
    const sql = `UPDATE ${index.table} SET key = ? WHERE key = ? AND record = ?`;
    const [old, fresh] = [Buffer.from(from, 'latin1'), Buffer.from(to, 'latin1')];
    this.#put(index, doc, to, sql, fresh, old, doc.record);
    this.#tables.changed(sql, old, fresh, doc.record);
  }

  #put(index: Index, doc: Stored, key: string, sql: string, ...values: SQLInputValue[]): void {
    try {
      this.#tables.prepare(sql).run(...values);
    } catch (error) {
      // There is no constraint but the primary key.
      throw ((error as { errcode?: number }).errcode ?? 0) % 256 === constraint
        ? index.duplicate(this.#namespace, doc.doc, key)
        : error;
    }
  }
}

function insertKey({ table }: Index): string {
  return `INSERT INTO ${table} VALUES (?, ?)`;
}

function deleteKey({ table }: Index): string {
  return `DELETE FROM ${table} WHERE key = ? AND record = ?`;
}
