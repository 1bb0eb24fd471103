import { randomInt } from 'node:crypto';
import { Long } from 'bson';
import { CommandError } from './errors.ts';
import { RawArray, type Reply } from './reply.ts';
import { maxDocumentBytes } from './values.ts';

const idleMs = 10 * 60 * 1000;
const maxCursors = 10_000;

interface Cursor {
  readonly namespace: string;
  /** Takes the next results, up to the number and to the size of a message. */
  readonly take: (count: number) => RawArray;
  readonly done: () => boolean;
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
   * @param batchSize the most documents of the batch
   * @param single whether to forget the rest
   */
  first<T>(
    ns: string,
    results: readonly T[],
    toBytes: (result: T) => Uint8Array,
    batchSize = 101,
    single = false,
  ): Reply {
    let next = 0;
    const take = (count: number) => {
      const items: Uint8Array[] = [];
      for (let bytes = 0; items.length < count && next < results.length; next++) {
        const item = toBytes(results[next] as T);
        bytes += item.length + 16;
        if (items.length > 0 && bytes > maxDocumentBytes) break;
        items.push(item);
      }
      return new RawArray(items);
    };
    const firstBatch = take(batchSize);
    const id = next < results.length && !single ? Long.fromNumber(randomInt(1, 2 ** 47)) : Long.ZERO;
    if (!id.isZero()) this.#keep(id, { namespace: ns, take, done: () => next >= results.length, usedAt: Date.now() });
    return { firstBatch, id, ns };
  }

  /** The `cursor` of a reply with the next batch. @throws CommandError CursorNotFound */
  more(id: Long, ns: string, batchSize?: number): Reply {
    const cursor = this.#open.get(id.toString());
    if (!cursor || cursor.namespace !== ns) throw new CommandError('CursorNotFound', `cursor id ${id} not found`);
    const nextBatch = cursor.take(batchSize || Number.POSITIVE_INFINITY);
    this.#open.delete(id.toString());
    if (!cursor.done()) this.#keep(id, { ...cursor, usedAt: Date.now() });
    return { nextBatch, id: cursor.done() ? Long.ZERO : id, ns };
  }

  /** Forgets a cursor; false when there was none. */
  kill(id: Long): boolean {
    return this.#open.delete(id.toString());
  }

  /** Map order is the order of last use, so both bounds look at the front only. */
  #keep(id: Long, cursor: Cursor): void {
    for (const [old, { usedAt }] of this.#open) {
      if (usedAt >= Date.now() - idleMs && this.#open.size < maxCursors) break;
      this.#open.delete(old);
    }
    this.#open.set(id.toString(), cursor);
  }
}
