import { LRUCache } from 'lru-cache';
import type { mongo } from 'mongoose';
import { Batches } from './batches.ts';
import type { Logger } from './logger.ts';
import { WatchedGauge } from './telemetry/metrics.ts';
import { inSpan } from './telemetry/tracing.ts';

/** Something that a write caused and that is to be told once the write is stored. */
export interface OutboxEntry {
  /** UUIDv7; consumers are idempotent by it. */
  id: string;
  /** When it was written, ISO 8601. */
  time: string;
  /** Where in a trace it was written; absent where none is recorded. */
  traceparent?: string;
}

/** A document that carries what its writes caused. An entry is pushed by the very update that makes it true. */
export interface WithOutbox<Entry extends OutboxEntry> {
  _id: string;
  outbox: Entry[];
  /** The place in a trace to which everything about the document belongs; absent: each entry belongs to its own. */
  traceparent?: string;
}

/** Index that finds documents whose entries were left; add it to the schema of each aggregate that has an outbox. */
export const outboxIndex = [{ 'outbox.time': 1 }, { sparse: true }] as const;

/** Age from which the sweeper takes an entry, in milliseconds: younger ones are still being told by who wrote them. */
const leftAfterMs = 5_000;
/** Documents that one sweep takes. */
const sweepLimit = 200;
/**
 * Told entries are removed together: those of so many milliseconds, which a crash lets be told again, and of so many documents
 * at most. Far below the age at which the sweeper would look at them.
 */
const removals = { gatherMs: 500, most: 500 };

const lag = new WatchedGauge(
  'outbox_oldest_age_seconds',
  'Age of the oldest event that was left in an outbox, as seen by the last sweep; 0 when none was left',
  ['outbox'],
);

/** What the telling needs. */
export interface OutboxOptions {
  /** The whole of a document that was left, not only its id and its outbox. */
  whole?: boolean;
}

/**
 * Tells what writes caused, in order, at least once. A write and its entries are one update of one document, so nothing
 * is lost when the process dies at any line: what was not told is found by the sweep.
 */
export class Outbox<Entry extends OutboxEntry, Document extends WithOutbox<Entry> = WithOutbox<Entry>>
  implements AsyncDisposable
{
  readonly #documents: mongo.Collection<Document>;
  readonly #tell: (entry: Entry, document: Document) => Promise<void>;
  readonly #log: Logger;
  readonly #whole: boolean;
  readonly #running = new Map<string, Promise<void>>();
  readonly #watched: AsyncDisposable;
  /** When the oldest entry was written that the last sweep found; undefined: it found none. */
  #oldest: number | undefined;
  // A write right after another one sees the entries of both: what this process told already is only to be removed.
  readonly #told = new LRUCache<string, true>({ max: 10_000 });
  readonly #removals = new Batches<{ _id: string; ids: string[] }, void>((told) => this.#remove(told), removals);

  /**
   * @param collection of the aggregate, as the driver knows it
   * @param tell makes an entry known; applying it twice must be harmless. It is given the document as it was written with the
   *   entry or after it.
   */
  constructor(
    collection: unknown,
    tell: (entry: Entry, document: Document) => Promise<void>,
    log: Logger,
    { whole = false }: OutboxOptions = {},
  ) {
    // mongoose wraps the driver's collection and gives it a type of its own.
    this.#documents = collection as mongo.Collection<Document>;
    this.#tell = tell;
    this.#log = log;
    this.#whole = whole;
    const outbox = this.#documents.collectionName;
    this.#watched = lag.watch(() => [
      [{ outbox }, this.#oldest === undefined ? 0 : (Date.now() - this.#oldest) / 1000],
    ]);
  }

  /**
   * Tell the entries of a document that was just written, in the background after those still being told. Resolves when they
   * are told; they are removed a little later. Never throws: what fails stays for the sweep.
   * @param written the document as the write left it
   */
  flush(written: Document): Promise<void> {
    if (written.outbox.length === 0) return this.#running.get(written._id) ?? Promise.resolve();
    const before = this.#running.get(written._id) ?? Promise.resolve();
    const mine = before.then(() => this.#tellAll(written));
    this.#running.set(written._id, mine);
    void mine.finally(() => {
      if (this.#running.get(written._id) === mine) this.#running.delete(written._id);
    });
    return mine;
  }

  /** Those of a document's entries that this process has not told; others may be told and not removed yet. */
  untold({ outbox }: Pick<Document, 'outbox'>): Entry[] {
    return outbox.filter(({ id }) => !this.#told.has(id));
  }

  /** Tell what was left behind by a crash or an outage. */
  async sweep(): Promise<void> {
    const before = new Date(Date.now() - leftAfterMs).toISOString();
    const filter = { 'outbox.time': { $lt: before } } as unknown as mongo.Filter<Document>;
    const left = await this.#documents
      .find(filter, { ...(this.#whole ? {} : { projection: { outbox: 1 } }), limit: sweepLimit })
      .toArray();
    // Found by the index, so the oldest are among them.
    const times = left.flatMap(({ outbox }) => (outbox as Entry[]).map(({ time }) => Date.parse(time)));
    this.#oldest = times.length === 0 ? undefined : Math.min(...times);
    await Promise.all(left.map((document) => this.flush(document as unknown as Document)));
  }

  /** Waits for what is being told and removed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watched[Symbol.asyncDispose]();
    await Promise.allSettled(this.#running.values());
    await this.#removals[Symbol.asyncDispose]();
  }

  async #tellAll(document: Document): Promise<void> {
    const { _id, outbox } = document;
    const ids: string[] = [];
    try {
      for (const entry of outbox) {
        if (!this.#told.has(entry.id)) await this.#tellTraced(entry, document);
        this.#told.set(entry.id, true);
        ids.push(entry.id);
      }
    } catch (err) {
      this.#log.warn({ err, document: _id }, 'an event waits in the outbox');
    }
    if (ids.length === 0) return;
    this.#removals
      .add({ _id, ids })
      .catch((err) => this.#log.warn({ err, document: _id }, 'told events stay in the outbox and will be told again'));
  }

  #tellTraced(entry: Entry, document: Document): Promise<void> {
    const parent = document.traceparent ?? entry.traceparent;
    if (parent === undefined) return this.#tell(entry, document);
    const links = parent === entry.traceparent ? [] : [entry.traceparent];
    const attributes = { 'outbox.name': this.#documents.collectionName };
    return inSpan(`tell ${kindOf(entry)}`, { parent, links, kind: 'producer', attributes }, () =>
      this.#tell(entry, document),
    );
  }

  async #remove(told: { _id: string; ids: string[] }[]): Promise<undefined[]> {
    const byDocument = new Map<string, Set<string>>();
    for (const { _id, ids } of told) byDocument.set(_id, new Set([...(byDocument.get(_id) ?? []), ...ids]));
    const updates = [...byDocument].map(([_id, ids]) => ({
      updateOne: { filter: { _id }, update: { $pull: { outbox: { id: { $in: [...ids] } } } } },
    }));
    await this.#documents.bulkWrite(updates as unknown as mongo.AnyBulkWriteOperation<Document>[], { ordered: false });
    return told.map(() => undefined);
  }
}

/** What an entry is called in a trace. */
function kindOf(entry: OutboxEntry): string {
  if ('type' in entry) return String(entry.type);
  return 'kind' in entry ? `execution ${entry.kind}` : 'report';
}
