import { serialize } from 'bson';
import type { Doc } from './values.ts';

/** The kinds of entries in the journal. */
export const entryKinds = { put: 1, remove: 2, catalog: 3 } as const;

/** What one command has changed: the entries for the journal, and how to take each back. */
export class Changes {
  readonly entries: Uint8Array[] = [];
  readonly #undo: (() => void)[] = [];

  /** Notes a change that has been made in memory. */
  add(entry: Uint8Array, undo: () => void): void {
    this.entries.push(entry);
    this.#undo.push(undo);
  }

  /** A point to roll back to. */
  get mark(): number {
    return this.entries.length;
  }

  /** Takes back what was changed since the mark, last change first. */
  rollback(mark = 0): void {
    this.entries.length = mark;
    for (const undo of this.#undo.splice(mark).reverse()) undo();
  }
}

/** A document's new version: kind, collection (uint32), record (double), BSON. */
export function encodePut(collection: number, record: number, bytes: Uint8Array): Uint8Array {
  const entry = Buffer.allocUnsafe(13 + bytes.length);
  entry[0] = entryKinds.put;
  entry.writeUInt32LE(collection, 1);
  entry.writeDoubleLE(record, 5);
  entry.set(bytes, 13);
  return entry;
}

/** A document's end: kind, collection (uint32), record (double). */
export function encodeRemove(collection: number, record: number): Uint8Array {
  const entry = Buffer.allocUnsafe(13);
  entry[0] = entryKinds.remove;
  entry.writeUInt32LE(collection, 1);
  entry.writeDoubleLE(record, 5);
  return entry;
}

/** A change of collections or indexes: kind, BSON with the verb in `do`. */
export function encodeCatalog(change: Doc): Uint8Array {
  return Buffer.concat([Buffer.of(entryKinds.catalog), serialize(change)]);
}
