import { LRUCache } from 'lru-cache';
import type { Position } from '../streams/item.ts';
import type { LogStore } from './log-store.ts';
import type { Scope } from './scope.ts';

/** How long a head is known without having been stored, at most, in milliseconds: far below the time for which it is kept. */
const knownMs = 600_000;

/** How far scopes have come, as the one knows who numbers them; stored now and then, since the log itself tells as well. */
export class Heads {
  readonly #store: LogStore;
  readonly #known = new LRUCache<Scope, Position>({ max: 10_000, ttl: knownMs });
  #unsaved = new Map<Scope, Position>();

  constructor(store: LogStore) {
    this.#store = store;
  }

  /** The heads of scopes. */
  async of(scopes: Iterable<Scope>): Promise<Map<Scope, Position>> {
    const asked = [...new Set(scopes)].map(async (scope) => {
      const head = this.#known.get(scope) ?? (await this.#store.head(scope));
      this.#known.set(scope, head);
      return [scope, head] as const;
    });
    return new Map(await Promise.all(asked));
  }

  /** Scopes have come further. */
  advance(heads: ReadonlyMap<Scope, Position>): void {
    for (const [scope, head] of heads) {
      this.#known.set(scope, head);
      this.#unsaved.set(scope, head);
    }
  }

  /** Another may have come further: look again. */
  forget(): void {
    this.#known.clear();
  }

  /** Store what has changed. Where an epoch is not the stored one any more, all are looked up again. */
  async save(): Promise<void> {
    const saving = this.#unsaved;
    this.#unsaved = new Map();
    try {
      const outdated = await this.#store.saveHeads(saving);
      if (outdated.length > 0) this.forget();
    } catch (error) {
      this.#unsaved = new Map([...saving, ...this.#unsaved]);
      throw error;
    }
  }
}
