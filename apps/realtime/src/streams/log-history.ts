import { LRUCache } from 'lru-cache';
import { type LogEntry, type LogStore, mostMessages } from '../log/log-store.ts';
import type { Scope } from '../log/scope.ts';
import { itemOf } from '../messages/of-event.ts';
import { type History, newest, type Page } from './history.ts';
import type { Item, Position } from './item.ts';

/** Numbers of one block: what is read, and shared by all who come back, at once. */
const blockSize = 100;
/** Blocks that are kept for whoever comes next, and for how long, in milliseconds. */
const kept = { blocks: 200, ms: 30_000 };
/** The log is written before anybody hears of it; what is not there then is not there. */
const lagMs = 1_000;

interface Block {
  items: Promise<Item[]>;
  /** Items there, once they are read. */
  read?: Item[];
}

/** The entries of the log as items, in blocks that those share who read the same. */
export class SharedBlocks {
  readonly #store: LogStore;
  readonly #blocks = new LRUCache<string, Block>({ max: kept.blocks, ttl: kept.ms });
  /** Blocks that were read from the store so far. */
  reads = 0;

  constructor(store: LogStore) {
    this.#store = store;
  }

  /** The items of a block that begin in it, or in an earlier one and reach into it. @param needed numbers up to which it must be known */
  async items(scope: Scope, epoch: string, index: number, needed: number): Promise<Item[]> {
    const key = `${scope} ${epoch} ${index}`;
    const upTo = Math.min(needed, (index + 1) * blockSize);
    const known = this.#blocks.get(key);
    // One that is being read may lack what is new: whoever knows of more asks again, whoever cannot know reads anew.
    const isShared = known?.read ? (known.read.at(-1)?.end ?? 0) >= upTo : needed !== newest;
    if (known && isShared) return known.items;
    const block: Block = { items: this.#read(scope, epoch, index) };
    this.#blocks.set(key, block);
    block.items.then(
      (items) => {
        block.read = items;
      },
      () => this.#blocks.delete(key),
    );
    return block.items;
  }

  /** The items that come after a number, however far behind it. */
  async next(scope: Scope, epoch: string, after: number): Promise<Item[]> {
    this.reads += 1;
    return toItems(
      await this.#store.between(scope, epoch, after, Number.MAX_SAFE_INTEGER, blockSize).lean<LogEntry[]>(),
    );
  }

  async #read(scope: Scope, epoch: string, index: number): Promise<Item[]> {
    this.reads += 1;
    const first = index * blockSize + 1;
    const entries = this.#store.between(
      scope,
      epoch,
      first - mostMessages,
      first + blockSize - 1,
      blockSize + mostMessages,
    );
    return toItems(await entries.lean<LogEntry[]>());
  }
}

function toItems(entries: readonly LogEntry[]): Item[] {
  return entries.map(({ epoch, seq, count, event }) => itemOf(event, { epoch, seq }, count));
}

/** What happened in a scope, out of the log. */
export class LogHistory implements History {
  readonly lagMs = lagMs;
  readonly tellsGaps = false;
  readonly #scope: Scope;
  readonly #store: LogStore;
  readonly #blocks: SharedBlocks;

  constructor(scope: Scope, store: LogStore, blocks: SharedBlocks) {
    this.#scope = scope;
    this.#store = store;
    this.#blocks = blocks;
  }

  head(): Promise<Position> {
    return this.#store.head(this.#scope);
  }

  async after({ epoch, seq }: Position, upTo: number): Promise<Page> {
    const index = Math.floor(seq / blockSize);
    const end = (index + 1) * blockSize;
    const block = await this.#blocks.items(this.#scope, epoch, index, upTo);
    const items = block.filter((item) => item.end > seq);
    // Old entries are gone from some number on down: what follows begins in a later block.
    if (items.length === 0 && upTo > end) {
      const later = await this.#blocks.next(this.#scope, epoch, seq);
      return { items: later, complete: later.length === 0 };
    }
    return { items, complete: (items.at(-1)?.end ?? seq) < end };
  }
}
