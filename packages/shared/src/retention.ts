import type { mongo } from 'mongoose';

const dayMs = 24 * 60 * 60 * 1000;

/** How often what is too old is looked for, in milliseconds. */
export const retentionLookMs = 10 * 60_000;

/** How much one look takes: documents at once, and how often. What is left is taken by the next look. */
const usual = { batch: 500, batches: 40 };

/** A day, so many days ago: what happened before it is too old. Whole days, so that this changes once a day. */
export function daysAgo(days: number, now = Date.now()): Date {
  return new Date(Math.floor(now / dayMs) * dayMs - days * dayMs);
}

/** What is too old. */
export interface Outdated<Document> {
  /** Field with the time that counts; it needs an index. */
  field: string;
  before: Date;
  /** Further condition. */
  where?: Record<string, unknown>;
  /** Fields that `first` needs. */
  projection?: Record<string, 1>;
  /** What is to be done before these are dropped. It is done again for those that a crash left. */
  first?(documents: readonly Document[]): Promise<void>;
}

/**
 * Drop documents that are too old, oldest first and a few at a time, so that others get their turn. Harmless when several do
 * it at once.
 * @param collection of the driver or of mongoose
 * @returns how many were dropped
 */
export async function dropOutdated<Document extends { _id: string }>(
  collection: unknown,
  { field, before, where, projection = {}, first }: Outdated<Document>,
  { batch, batches } = usual,
): Promise<number> {
  const stored = collection as mongo.Collection<Document>;
  const filter = { [field]: { $lt: before }, ...where } as mongo.Filter<Document>;
  let dropped = 0;
  for (let n = 0; n < batches; n++) {
    const found = stored.find(filter, { projection: { _id: 1, ...projection } }).sort({ [field]: 1 });
    const documents = (await found.limit(batch).toArray()) as unknown as Document[];
    if (documents.length === 0) break;
    await first?.(documents);
    const ids = { _id: { $in: documents.map(({ _id }) => _id) } } as mongo.Filter<Document>;
    dropped += (await stored.deleteMany(ids)).deletedCount;
    if (documents.length < batch) break;
  }
  return dropped;
}
