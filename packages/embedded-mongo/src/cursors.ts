import { randomInt } from 'node:crypto';
import { Long } from 'bson';
import { CommandError } from './errors.ts';
import { RawArray, type Reply } from './reply.ts';
import { maxDocumentBytes } from './values.ts';

const idleMs = 10 * 60 * 1000;
const maxCursors = 10_000;
const firstBatchSize = 101;

interface Cursor {
  readonly namespace: string;
  readonly results: readonly unknown[];
  readonly toBytes: (result: never) => Uint8Array;
  next: number;
  usedAt: number;
}

/**
 * The results that clients have not fetched yet. A cursor holds what its query found when it ran; it is forgotten after
 * ten idle minutes, and the least recently used one when there are more than 10,000.
 */
export class Cursors {
  readonly #open = new Map<string, Cursor>();

  /** The number of open cursors. */
  get size(): number {
    return this.#open.size;
  }

  /**
   * The `cursor` of a reply with the first batch of results.
   * @param batchSize the most documents of the batch; 101 when undefined
   * @param single whether to forget the rest
   */
  first<T>(
    namespace: string,
    results: readonly T[],
    toBytes: (result: T) => Uint8Array,
    batchSize?: number,
    single = false,
  ): Reply {
    const cursor: Cursor = { namespace, results, toBytes, next: 0, usedAt: Date.now() };
    const items = take(cursor, batchSize ?? firstBatchSize);
    let id = Long.ZERO;
    if (cursor.next < results.length && !single) {
      this.#expire();
      id = Long.fromNumber(randomInt(1, 2 ** 47));
      this.#open.set(id.toString(), cursor);
    }
    return { firstBatch: new RawArray(items), id, ns: namespace };
  }

  /** The `cursor` of a reply with the next batch. @throws CommandError CursorNotFound */
  more(id: Long, namespace: string, batchSize?: number): Reply {
    this.#expire();
    const cursor = this.#open.get(id.toString());
    if (!cursor || cursor.namespace !== namespace)
      throw new CommandError('CursorNotFound', `cursor id ${id} not found`);
    const items = take(cursor, batchSize || Number.POSITIVE_INFINITY);
    this.#open.delete(id.toString());
    cursor.usedAt = Date.now();
    const done = cursor.next >= cursor.results.length;
    if (!done) this.#open.set(id.toString(), cursor);
    return { nextBatch: new RawArray(items), id: done ? Long.ZERO : id, ns: namespace };
  }

  /** Forgets a cursor; false when there was none. */
  kill(id: Long): boolean {
    return this.#open.delete(id.toString());
  }

  /** Map order is the order of last use, so both bounds look at the front only. */
  #expire(): void {
    const limit = Date.now() - idleMs;
    for (const [id, cursor] of this.#open) {
      if (cursor.usedAt >= limit && this.#open.size < maxCursors) return;
      this.#open.delete(id);
    }
  }
}

function take(cursor: Cursor, count: number): Uint8Array[] {
  const items: Uint8Array[] = [];
  let bytes = 0;
  while (items.length < count && cursor.next < cursor.results.length) {
    const item = cursor.toBytes(cursor.results[cursor.next] as never);
    bytes += item.length + 16;
    if (items.length > 0 && bytes > maxDocumentBytes) break;
    items.push(item);
    cursor.next += 1;
  }
  return items;
}
