import { createHash } from 'node:crypto';
import { type Model, mongo, type QueryFilter } from 'mongoose';
import { Recent } from './recent.ts';

/** Counts up to this one are made each time, so they are exact. */
export const exactUpTo = 1_000;
/**
 * Larger counts that are remembered, how many of one kind, and for how long in milliseconds: until when one is simply
 * used, and until when it is given while it is renewed.
 */
export const rememberedCounts = { max: 1_000, freshMs: 5_000, usableMs: 10_000 } as const;

const known = new WeakMap<object, Recent<number>>();

/**
 * How many documents match. Counting takes the longer the more there are, even with an index, so what a page costs would
 * grow with the list that it is a page of. Hence totals above 1,000 are counted once in 5 seconds per filter and process,
 * while callers go on with the one before: they can be 10 seconds old. One that takes more than a quarter of a second to
 * count is counted less often, for a twentieth of the time at most. They are not counted anew after each write, since a
 * list of that size under writes would then be counted by every reader.
 */
export async function totalOf<Document>(model: Model<Document>, filter: QueryFilter<Document>): Promise<number> {
  const totals = totalsOf(model);
  const key = createHash('sha256').update(mongo.BSON.serialize(filter)).digest('base64');
  if (!totals.has(key)) {
    const few = await model.countDocuments(filter, { limit: exactUpTo + 1 });
    if (few <= exactUpTo) return few;
  }
  const total = await totals.get(key, () => model.countDocuments(filter).exec());
  // It may have shrunk; small ones are never remembered.
  if (total <= exactUpTo) totals.delete(key);
  return total;
}

function totalsOf(model: object): Recent<number> {
  const found = known.get(model) ?? new Recent<number>(rememberedCounts);
  known.set(model, found);
  return found;
}
