import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import { type Binary, deserialize } from 'bson';
import { type Changes, encodeCatalog, encodePut, entryKinds } from './changes.ts';
import { Collection } from './collection.ts';
import { CommandError } from './errors.ts';
import type { IndexSpec } from './index.ts';
import { Journal, type Log } from './journal.ts';
import { lockFolder } from './lock.ts';

/** A journal below this size, in bytes, is not worth a compaction. */
const compactFrom = 32 * 1024 * 1024;
/** A journal is compacted when it is so many times the size of the live documents. */
const compactRatio = 4;

/** All databases: collections in memory and, with a folder, the journal that makes them durable. */
export class Store {
  readonly #collections = new Map<string, Collection>();
  readonly #journal: Journal | undefined;
  readonly #unlock: () => void;
  readonly #log: Log;
  #lastNumber = 0;
  #compaction: Promise<void> | undefined;
  #compactFrom = compactFrom;

  /** @param dir where the data is kept; memory only when absent @throws Error when another server uses the folder */
  constructor(dir: string | undefined, log: Log) {
    this.#log = log;
    if (dir === undefined) {
      this.#unlock = () => undefined;
      return;
    }
    fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
    this.#unlock = lockFolder(dir);
    try {
      this.#journal = this.#load(dir);
    } catch (error) {
      this.#unlock();
      throw error;
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
  ensure(namespace: string, changes: Changes): Collection {
    return this.#collections.get(namespace) ?? this.create(namespace, changes);
  }

  /** Makes a collection. @throws CommandError NamespaceExists, InvalidNamespace */
  create(namespace: string, changes: Changes): Collection {
    const dot = namespace.indexOf('.');
    const [database, name] = [namespace.slice(0, dot), namespace.slice(dot + 1)];
    if (this.#collections.has(namespace)) {
      throw new CommandError('NamespaceExists', `Collection ${namespace} already exists.`);
    }
    if (
      name === '' ||
      /[$\0]/.test(name) ||
      name.startsWith('.') ||
      name.startsWith('system.') ||
      namespace.length > 255
    ) {
      throw new CommandError('InvalidNamespace', `Invalid collection name: ${namespace}`);
    }
    if (database === '' || database.length > 63 || /[/\\. "$*<>:|?\0]/.test(database)) {
      throw new CommandError('InvalidNamespace', `Invalid database name: ${database}`);
    }
    const collection = new Collection(
      this.#lastNumber + 1,
      namespace,
      Buffer.from(randomUUID().replaceAll('-', ''), 'hex'),
    );
    this.#lastNumber = collection.number;
    this.#collections.set(namespace, collection);
    changes.add(createEntry(collection), () => this.#collections.delete(namespace));
    return collection;
  }

  /** Drops a collection with its indexes. */
  drop(collection: Collection, changes: Changes): void {
    this.#collections.delete(collection.namespace);
    changes.add(encodeCatalog({ do: 'drop', number: collection.number }), () =>
      this.#collections.set(collection.namespace, collection),
    );
  }

  /** Renames a collection; the new name has to be free. */
  rename(collection: Collection, namespace: string, changes: Changes): void {
    const before = collection.namespace;
    this.#move(collection, namespace);
    changes.add(encodeCatalog({ do: 'rename', number: collection.number, namespace }), () =>
      this.#move(collection, before),
    );
  }

  /** Resolves when the changes of a command are in the journal. @throws CommandError when they could not be written */
  async commit(changes: Changes): Promise<void> {
    if (!this.#journal || changes.entries.length === 0) return;
    await this.#journal.commit(changes);
    this.#compactIfWorthwhile(this.#journal);
  }

  /** Writes what waits and gives the folder back. */
  async close(): Promise<void> {
    await this.#compaction;
    this.#journal?.close();
    this.#unlock();
  }

  #move(collection: Collection, namespace: string): void {
    this.#collections.delete(collection.namespace);
    collection.namespace = namespace;
    this.#collections.set(namespace, collection);
  }

  #load(dir: string): Journal {
    const byNumber = new Map<number, { collection: Collection; specs: IndexSpec[] }>();
    const journal = Journal.open(
      dir,
      (entry) => this.#replay(Buffer.from(entry.buffer, entry.byteOffset, entry.length), byNumber),
      this.#log,
    );
    for (const { collection, specs } of byNumber.values()) {
      collection.restored(specs);
      this.#collections.set(collection.namespace, collection);
    }
    return journal;
  }

  #replay(entry: Buffer, byNumber: Map<number, { collection: Collection; specs: IndexSpec[] }>): void {
    if (entry[0] !== entryKinds.catalog) {
      const bytes = entry[0] === entryKinds.put ? new Uint8Array(entry.subarray(13)) : undefined;
      byNumber.get(entry.readUInt32LE(1))?.collection.restore(entry.readDoubleLE(5), bytes);
      return;
    }
    const change = deserialize(entry.subarray(1), { bsonRegExp: true });
    const number = change.number as number;
    const known = byNumber.get(number);
    this.#lastNumber = Math.max(this.#lastNumber, number);
    if (change.do === 'create') {
      const collection = new Collection(number, change.namespace as string, (change.uuid as Binary).value());
      byNumber.set(number, { collection, specs: (change.indexes as IndexSpec[]) ?? [] });
    } else if (!known) return;
    else if (change.do === 'drop') byNumber.delete(number);
    else if (change.do === 'rename') known.collection.namespace = change.namespace as string;
    else {
      // A snapshot may hold what the changes behind it tell again, so both verbs have to bear repetition.
      const name = change.do === 'createIndex' ? (change.spec as IndexSpec).name : change.name;
      known.specs = known.specs.filter((spec) => spec.name !== name);
      if (change.do === 'createIndex') known.specs.push(change.spec as IndexSpec);
    }
  }

  #compactIfWorthwhile(journal: Journal): void {
    if (this.#compaction || journal.size < this.#compactFrom) return;
    const live = this.collections.reduce((total, { bytes, docs }) => total + bytes + docs.size * 25, 0);
    if (journal.size < compactRatio * live) return;
    this.#compaction = journal
      .compact(this.#snapshot())
      .catch((error: unknown) => {
        this.#compactFrom = journal.size * 2;
        this.#log(`compaction failed, the journal stays as it is: ${String(error)}`);
      })
      .finally(() => {
        this.#compaction = undefined;
      });
  }

  *#snapshot(): Generator<Uint8Array> {
    const collections = this.collections;
    yield* collections.map(createEntry);
    for (const { number, docs } of collections) {
      for (const doc of docs.values()) yield encodePut(number, doc.id, doc.bytes);
    }
  }
}

function createEntry(collection: Collection): Uint8Array {
  const { number, namespace, uuid, indexes } = collection;
  const specs = indexes.slice(1).map(({ spec }) => spec);
  return encodeCatalog({ do: 'create', number, namespace, uuid, indexes: specs });
}
