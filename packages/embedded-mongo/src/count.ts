import type { Collection } from './collection.ts';
import { choosePlan, saysAll } from './planner.ts';
import { type Query, runQuery } from './query.ts';
import { type Doc, isDoc, numberOf } from './values.ts';

/** How many documents a query finds. They are not read when the bounds of an index say all that the filter asks. */
export function countQuery(collection: Collection | undefined, query: Query): number {
  if (!collection) return 0;
  const { filter, hint, skip = 0, limit = 0 } = query;
  if (Object.keys(filter.source).length === 0 && hint === undefined) return within(collection.count, skip, limit);
  const plan = choosePlan(collection.indexes, filter, undefined, hint);
  if (!plan.index || !saysAll(plan, filter)) return runQuery(collection, query).docs.length;
  const enough = limit ? skip + limit : Number.MAX_SAFE_INTEGER;
  let count = 0;
  for (const range of plan.ranges) {
    if (count >= enough) break;
    count += collection.countRange(plan.index, range, enough - count);
  }
  return within(count, skip, limit);
}

/** The field of a `$group` that counts all documents, as drivers ask for it, and the `_id` beside it. */
export function countingGroup(stages: readonly Doc[]): { _id: unknown; field: string } | undefined {
  const [stage, ...others] = stages;
  if (!isDoc(stage?.$group) || others.length > 0) return undefined;
  const { _id, ...fields } = stage.$group;
  const [[field, sum] = ['', undefined], ...more] = Object.entries(fields);
  const counts = more.length === 0 && isDoc(sum) && Object.keys(sum).length === 1 && numberOf(sum.$sum) === 1;
  return counts && (_id === null || !Number.isNaN(numberOf(_id))) ? { _id, field } : undefined;
}

function within(count: number, skip: number, limit: number): number {
  return Math.min(Math.max(count - skip, 0), limit || Number.MAX_SAFE_INTEGER);
}
