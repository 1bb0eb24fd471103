import type { Model, mongo } from 'mongoose';
import { Batches } from './batches.ts';
import { PlatformError } from './errors.ts';
import type { OutboxEntry } from './outbox.ts';

/** How often a change is decided anew when others change the document at the same time. */
const maxAttempts = 10;

/** A stored aggregate: changed only by guarded updates, deleted only softly. */
export interface Aggregate<Entry extends OutboxEntry> {
  _id: string;
  /** Counts the changes; each update is guarded by it. */
  version: number;
  updated_at: Date;
  deleted_at: Date | null;
  deleted_by: string | null;
  outbox: Entry[];
}

/** A change that was decided on a document as it was read. */
export interface Decision<Document, Entry> {
  set: Partial<Document>;
  /** What the change causes; told after it is stored. */
  events: Entry[];
  /** How many changes that are made at once it stands for; one when absent. */
  versions?: number;
}

/** What spares a guarded update some of its work. */
export interface GuardedUpdateOptions<Document, Left extends keyof Document> {
  /** The document as it was read or written before: what is decided on it is written if it is still so. */
  known?: Omit<Document, Left> | undefined;
  /** Fields that need not be read. */
  without?: readonly (Left & string)[];
  /**
   * Write what is decided on the known document together with others. Only for changes that are no news once they are made: it
   * may be decided again on what they have made.
   */
  writes?: GuardedWrites | undefined;
}

/** A document as it has to be for a change. */
type Guard = { _id: string; version: number; deleted_at: null };

/** Writes guarded changes of a collection; those that come at the same time, by one command. */
export class GuardedWrites {
  readonly #documents: mongo.Collection<{ _id: string }>;
  readonly #batches = new Batches<mongo.AnyBulkWriteOperation<{ _id: string }>, boolean>(
    async (updates) => {
      const { matchedCount } = await this.#documents.bulkWrite(updates, { ordered: false, ignoreUndefined: true });
      return updates.map(() => matchedCount === updates.length);
    },
    { most: 100 },
  );

  /** @param collection of the driver or of mongoose */
  constructor(collection: unknown) {
    this.#documents = collection as mongo.Collection<{ _id: string }>;
  }

  /** @returns whether it was written; false also when that is not known, because another of the same command was not */
  write(guard: Guard, update: object): Promise<boolean> {
    return this.#batches.add({ updateOne: { filter: guard, update } });
  }
}

/**
 * Change an aggregate: read it, decide, and write in one update that holds only if nobody changed it meanwhile; else
 * decide again on what it has become.
 * @param decide returns undefined to leave the document as it is; throws to refuse
 * @returns the document after the change, and whether it changed; of one that was known, the outbox holds what the change causes
 * @throws PlatformError notFound's, decide's, or RESOURCE_CONFLICT when others kept changing it
 */
export async function guardedUpdate<
  Document extends Aggregate<Entry>,
  Entry extends OutboxEntry,
  Left extends Exclude<keyof Document, keyof Aggregate<Entry>> = never,
>(
  model: Model<Document>,
  id: string,
  notFound: () => PlatformError,
  decide: (
    document: Omit<Document, Left>,
  ) => Decision<Document, Entry> | undefined | Promise<Decision<Document, Entry> | undefined>,
  { known, without, writes }: GuardedUpdateOptions<Document, Left> = {},
): Promise<{ document: Omit<Document, Left>; changed: boolean }> {
  // The driver itself: there is nothing to cast in what was read and decided here, and it takes a third of the time.
  const documents = model.collection as unknown as mongo.Collection<{ _id: string }>;
  const projection = without && { projection: Object.fromEntries(without.map((field) => [field, 0])) };
  const read = async () => (await documents.findOne({ _id: id }, projection)) as Found<Document, Left> | null;
  let document = known as Found<Document, Left> | undefined;
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const isFresh = document === undefined;
    const found: Found<Document, Left> | null = document ?? (await read());
    document = undefined;
    if (!found || found.deleted_at) throw notFound();
    const decision = await decide(found);
    if (!decision) {
      if (isFresh) return { document: found, changed: false };
      // Nothing is written that would fail if it is no longer so.
      continue;
    }
    const guard = { _id: id, version: found.version, deleted_at: null };
    if (!isFresh && writes) {
      if (await writes.write(guard, updateBy(decision))) return { document: changedBy(found, decision), changed: true };
      continue;
    }
    const options = { returnDocument: 'after', ignoreUndefined: true, ...projection } as const;
    const updated = await documents.findOneAndUpdate(guard, updateBy(decision) as object, options);
    if (updated) return { document: updated as unknown as Found<Document, Left>, changed: true };
  }
  throw new PlatformError('RESOURCE_CONFLICT', 'The resource is being changed by others, try again', { id });
}

type Found<Document extends Guarded, Left extends keyof Document> = Omit<Document, Left> & Guarded;
type Guarded = Pick<Aggregate<OutboxEntry>, 'version' | 'deleted_at'>;

/** The document as a change has left it that was decided on it. */
function changedBy<Document extends object>(found: Document & Guarded, decision: Decision<Partial<Document>, unknown>) {
  const set = Object.entries(decision.set).filter(([, value]) => value !== undefined);
  return {
    ...found,
    updated_at: new Date(),
    ...Object.fromEntries(set),
    version: found.version + (decision.versions ?? 1),
    outbox: decision.events,
  };
}

/** The update that makes a decision true; to be guarded by the version of the document on which it was decided. */
export function updateBy<Document, Entry>({ set, events, versions = 1 }: Decision<Document, Entry>) {
  return {
    $set: { updated_at: new Date(), ...set },
    $inc: { version: versions },
    $push: { outbox: { $each: events } },
  };
}

/** Which of the given values differ from the document's, as changes for an event. */
export function changesOf<Document extends object>(document: Document, given: Partial<Document>) {
  return (Object.keys(given) as (keyof Document & string)[])
    .filter((field) => JSON.stringify(given[field] ?? null) !== JSON.stringify(document[field] ?? null))
    .map((field) => ({ field, old_value: document[field] ?? null, new_value: given[field] ?? null }));
}
