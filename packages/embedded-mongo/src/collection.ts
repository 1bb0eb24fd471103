import { type Changes, encodeCatalog, encodePut, encodeRemove } from './changes.ts';
import { CommandError } from './errors.ts';
import { Index, type IndexSpec } from './index.ts';
import type { Source } from './query.ts';
import { Stored } from './stored.ts';
import { assertDocumentSize, type Doc } from './values.ts';

/** The index that every collection has. */
export const idIndex: IndexSpec = { v: 2, key: { _id: 1 }, name: '_id_', unique: true };

/** A collection in memory: its documents in order of insertion, and its indexes. Every change tells how to undo it. */
export class Collection implements Source {
  /** The number under which the journal knows the collection, also when it is renamed. */
  readonly number: number;
  readonly uuid: Uint8Array;
  namespace: string;
  readonly docs = new Map<number, Stored>();
  /** The sum of the documents' sizes in bytes. */
  bytes = 0;
  indexes: Index[] = [new Index(idIndex)];
  #lastRecord = 0;

  constructor(number: number, namespace: string, uuid: Uint8Array) {
    this.number = number;
    this.namespace = namespace;
    this.uuid = uuid;
  }

  /** The name without the database. */
  get name(): string {
    return this.namespace.slice(this.namespace.indexOf('.') + 1);
  }

  /** The database. */
  get database(): string {
    return this.namespace.slice(0, this.namespace.indexOf('.'));
  }

  /** Adds a document. @throws CommandError DuplicateKey, BSONObjectTooLarge */
  insert(bytes: Uint8Array, changes: Changes): Stored {
    assertDocumentSize(bytes);
    const doc = new Stored(this.#lastRecord + 1, bytes);
    for (const index of this.indexes) index.check(doc, this.namespace);
    this.#lastRecord = doc.id;
    this.#link(doc);
    changes.add(encodePut(this.number, doc.id, bytes), () => this.#unlink(doc));
    return doc;
  }

  /** Puts a new version in a document's place. @throws CommandError DuplicateKey, BSONObjectTooLarge */
  replace(before: Stored, bytes: Uint8Array, changes: Changes): Stored {
    assertDocumentSize(bytes);
    const after = new Stored(before.id, bytes);
    for (const index of this.indexes) index.check(after, this.namespace);
    this.#exchange(before, after);
    changes.add(encodePut(this.number, after.id, bytes), () => this.#exchange(after, before));
    return after;
  }

  /** Removes a document. */
  remove(doc: Stored, changes: Changes): void {
    this.#unlink(doc);
    changes.add(encodeRemove(this.number, doc.id), () => this.#link(doc));
  }

  /** Takes a document from the journal; `restored` has to be called when all are there. */
  restore(record: number, bytes: Uint8Array | undefined): void {
    this.#lastRecord = Math.max(this.#lastRecord, record);
    if (bytes) this.docs.set(record, new Stored(record, bytes));
    else this.docs.delete(record);
  }

  /** Builds the indexes after documents were restored. */
  restored(specs: readonly IndexSpec[]): void {
    this.bytes = 0;
    for (const doc of this.docs.values()) this.bytes += doc.bytes.length;
    this.indexes = [idIndex, ...specs].map((spec) => this.#built(spec));
  }

  /** Builds an index. @throws CommandError DuplicateKey when the documents break its uniqueness */
  createIndex(spec: IndexSpec, changes: Changes): void {
    const before = this.indexes;
    this.indexes = [...before, this.#built(spec)];
    changes.add(encodeCatalog({ do: 'createIndex', number: this.number, spec }), () => {
      this.indexes = before;
    });
  }

  /** Drops an index. @throws CommandError IndexNotFound, InvalidOptions for that on _id */
  dropIndex(name: string, changes: Changes): void {
    if (name === '_id_') throw new CommandError('InvalidOptions', 'cannot drop _id index');
    const before = this.indexes;
    if (!before.some(({ spec }) => spec.name === name)) {
      throw new CommandError('IndexNotFound', `index not found with name [${name}]`);
    }
    this.indexes = before.filter(({ spec }) => spec.name !== name);
    changes.add(encodeCatalog({ do: 'dropIndex', number: this.number, name }), () => {
      this.indexes = before;
    });
  }

  /** Changes the options of an index that may change: how soon documents expire, and whether it is hidden. */
  changeIndex(name: string, options: Doc, changes: Changes): void {
    const old = this.indexes.find(({ spec }) => spec.name === name);
    if (!old) throw new CommandError('IndexNotFound', `cannot find index ${name}`);
    this.dropIndex(name, changes);
    this.createIndex({ ...old.spec, ...options }, changes);
  }

  #built(spec: IndexSpec): Index {
    const index = new Index(spec);
    index.build(this.docs.values(), this.namespace);
    return index;
  }

  #link(doc: Stored): void {
    this.docs.set(doc.id, doc);
    this.bytes += doc.bytes.length;
    for (const index of this.indexes) index.add(doc);
  }

  #unlink(doc: Stored): void {
    this.docs.delete(doc.id);
    this.bytes -= doc.bytes.length;
    for (const index of this.indexes) index.remove(doc);
  }

  #exchange(before: Stored, after: Stored): void {
    for (const index of this.indexes) {
      index.remove(before);
      index.add(after);
    }
    this.docs.set(after.id, after);
    this.bytes += after.bytes.length - before.bytes.length;
  }
}
