import { PlatformError } from '@claude-cli/shared/errors';
import type { AnyEvent } from '@claude-cli/shared/events';
import { LRUCache } from 'lru-cache';
import type { Position } from '../streams/item.ts';
import { Heads } from './heads.ts';
import type { LogEntry, LogStore } from './log-store.ts';
import { type NewEntry, numberEvents } from './numbering.ts';
import { type Scope, scopeOf } from './scope.ts';

/** Entries of one scope that are kept at most, in numbers, and after how many more the older ones are dropped. */
const kept = { numbers: 10_000, slack: 1_000 };

/** How often a batch is numbered anew because another was faster. */
const maxAttempts = 10;

/** Gives numbers to events, and keeps them. Meant for one at a time; when two do it, neither gives a number twice. */
export class EventLog {
  readonly #store: LogStore;
  readonly #heads: Heads;
  readonly #limits: typeof kept;
  readonly #trimmed = new LRUCache<string, number>({ max: 10_000 });

  constructor(store: LogStore, limits = kept) {
    this.#store = store;
    this.#heads = new Heads(store);
    this.#limits = limits;
  }

  /**
   * Number a batch of events and store them; those that were numbered before are left as they are. Whatever is told twice,
   * or by two at once, has one number.
   * @param doubtful whether some may be in the log already
   * @returns the entries of all of them, in order
   */
  async add(events: readonly AnyEvent[], doubtful: boolean): Promise<NewEntry[]> {
    const scopes = new Set(events.flatMap((event) => scopeOf(event) ?? []));
    let look = doubtful;
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const known = look ? await this.#store.known(events.map(({ id }) => id)) : [];
      const byId = new Map(known.map((entry: LogEntry) => [entry._id, entry] as const));
      const numbered = numberEvents(events, byId, await this.#heads.of(scopes));
      if (numbered.fresh.length === 0 || (await this.#store.append(numbered.fresh))) {
        this.#heads.advance(numbered.heads);
        await this.#trim(numbered.heads);
        return numbered.entries;
      }
      look = true;
      this.#heads.forget();
    }
    throw new PlatformError('SERVICE_UNAVAILABLE', 'Others keep numbering the same events', { service: 'realtime' });
  }

  /** Store how far the scopes have come. */
  saveHeads(): Promise<void> {
    return this.#heads.save();
  }

  async #trim(heads: ReadonlyMap<Scope, Position>): Promise<void> {
    for (const [scope, { epoch, seq }] of heads) {
      const upTo = seq - this.#limits.numbers;
      const name = `${scope} ${epoch}`;
      if (upTo < (this.#trimmed.get(name) ?? 0) + this.#limits.slack) continue;
      this.#trimmed.set(name, upTo);
      await this.#store.trim(scope, epoch, upTo);
    }
  }
}
