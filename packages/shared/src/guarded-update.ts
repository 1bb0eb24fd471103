import type { Model } from 'mongoose';
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
}

/**
 * Change an aggregate: read it, decide, and write in one update that holds only if nobody changed it meanwhile; else
 * decide again on what it has become.
 * @param decide returns undefined to leave the document as it is; throws to refuse
 * @returns the document after the change, and whether it changed
 * @throws PlatformError notFound's, decide's, or RESOURCE_CONFLICT when others kept changing it
 */
export async function guardedUpdate<Document extends Aggregate<Entry>, Entry extends OutboxEntry>(
  model: Model<Document>,
  id: string,
  notFound: () => PlatformError,
  decide: (
    document: Document,
  ) => Decision<Document, Entry> | undefined | Promise<Decision<Document, Entry> | undefined>,
): Promise<{ document: Document; changed: boolean }> {
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const document = (await model.findOne({ _id: id }).lean()) as Document | null;
    if (!document || document.deleted_at) throw notFound();
    const decision = await decide(document);
    if (!decision) return { document, changed: false };
    const update = updateBy(decision);
    const guard = { _id: id, version: document.version };
    const updated = await model.findOneAndUpdate(guard as object, update as object, { returnDocument: 'after' }).lean();
    if (updated) return { document: updated as Document, changed: true };
  }
  throw new PlatformError('RESOURCE_CONFLICT', 'The resource is being changed by others, try again', { id });
}

/** The update that makes a decision true; to be guarded by the version of the document on which it was decided. */
export function updateBy<Document, Entry>({ set, events }: Decision<Document, Entry>) {
  return {
    $set: { updated_at: new Date(), ...set },
    $inc: { version: 1 },
    $push: { outbox: { $each: events } },
  };
}

/** Which of the given values differ from the document's, as changes for an event. */
export function changesOf<Document extends object>(document: Document, given: Partial<Document>) {
  return (Object.keys(given) as (keyof Document & string)[])
    .filter((field) => JSON.stringify(given[field] ?? null) !== JSON.stringify(document[field] ?? null))
    .map((field) => ({ field, old_value: document[field] ?? null, new_value: given[field] ?? null }));
}
