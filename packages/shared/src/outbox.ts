import { LRUCache } from 'lru-cache';
import type { mongo } from 'mongoose';
import type { Logger } from './logger.ts';

/** Something that a write caused and that is to be told once the write is stored. */
export interface OutboxEntry {
  /** UUIDv7; consumers are idempotent by it. */
  id: string;
  /** When it was written, ISO 8601. */
  time: string;
}

/** A document that carries what its writes caused. An entry is pushed by the very update that makes it true. */
export interface WithOutbox<Entry extends OutboxEntry> {
  _id: string;
  outbox: Entry[];
}

/** Index that finds documents whose entries were left; add it to the schema of each aggregate that has an outbox. */
export const outboxIndex = [{ 'outbox.time': 1 }, { sparse: true }] as const;

/** Age from which the sweeper takes an entry, in milliseconds: younger ones are still being told by who wrote them. */
const leftAfterMs = 5_000;
/** Documents that one sweep takes. */
const sweepLimit = 200;

/**
 * Tells what writes caused, in order, at least once. A write and its entries are one update of one document, so nothing
 * is lost when the process dies at any line: what was not told is found by the sweep.
 */
export class Outbox<Entry extends OutboxEntry> implements AsyncDisposable {
  readonly #documents: mongo.Collection<WithOutbox<Entry>>;
  readonly #tell: (entry: Entry, documentId: string) => Promise<void>;
  readonly #log: Logger;
  readonly #running = new Map<string, Promise<void>>();
  // A write right after another one sees the entries of both: what this process told already is only to be removed.
  readonly #told = new LRUCache<string, true>({ max: 10_000 });

  /**
   * @param collection of the aggregate, as the driver knows it
   * @param tell makes an entry known; applying it twice must be harmless
   */
  constructor(collection: unknown, tell: (entry: Entry, documentId: string) => Promise<void>, log: Logger) {
    // mongoose wraps the driver's collection and gives it a type of its own.
    this.#documents = collection as mongo.Collection<WithOutbox<Entry>>;
    this.#tell = tell;
    this.#log = log;
  }

  /**
   * Tell the entries of a document that was just written, in the background after those still being told. Never throws:
   * what fails stays for the sweep.
   * @param written the document as the write left it
   */
  flush(written: Pick<WithOutbox<Entry>, '_id' | 'outbox'>): Promise<void> {
    const before = this.#running.get(written._id) ?? Promise.resolve();
    const mine = before.then(() => this.#tellAll(written));
    this.#running.set(written._id, mine);
    void mine.finally(() => {
      if (this.#running.get(written._id) === mine) this.#running.delete(written._id);
    });
    return mine;
  }

  /** Tell what was left behind by a crash or an outage. */
  async sweep(): Promise<void> {
    const before = new Date(Date.now() - leftAfterMs).toISOString();
    const filter = { 'outbox.time': { $lt: before } } as mongo.Filter<WithOutbox<Entry>>;
    const left = await this.#documents.find(filter, { projection: { outbox: 1 }, limit: sweepLimit }).toArray();
    await Promise.all(left.map(({ _id, outbox }) => this.flush({ _id: String(_id), outbox })));
  }

  /** Waits for what is being told. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#running.values());
  }

  async #tellAll({ _id, outbox }: Pick<WithOutbox<Entry>, '_id' | 'outbox'>): Promise<void> {
    const told: string[] = [];
    try {
      for (const entry of outbox) {
        if (!this.#told.has(entry.id)) await this.#tell(entry, _id);
        this.#told.set(entry.id, true);
        told.push(entry.id);
      }
    } catch (err) {
      this.#log.warn({ err, document: _id }, 'an event waits in the outbox');
    }
    if (told.length === 0) return;
    const pull = { $pull: { outbox: { id: { $in: told } } } } as unknown as mongo.UpdateFilter<WithOutbox<Entry>>;
    await this.#documents
      .updateOne({ _id } as mongo.Filter<WithOutbox<Entry>>, pull)
      .catch((err) => this.#log.warn({ err, document: _id }, 'told events stay in the outbox and will be told again'));
  }
}
