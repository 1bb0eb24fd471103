import type { Collection, Stored } from './collection.ts';
import type { Filter } from './filter.ts';
import { choosePlan, type IndexScan, type Plan, saysAll } from './planner.ts';
import { orderOf, type SortSpec } from './sort.ts';
import type { Doc } from './values.ts';

/** A query on one collection. */
export interface Query {
  readonly filter: Filter;
  readonly sort?: SortSpec | undefined;
  readonly skip?: number;
  /** 0 or absent for no limit. */
  readonly limit?: number;
  readonly hint?: unknown;
}

/** The documents that a query found, and how. */
export interface Found {
  readonly docs: Stored[];
  readonly plan: Plan;
  readonly keysExamined: number;
  readonly docsExamined: number;
}

/** Answers a query; a collection that does not exist has no documents. */
export function runQuery(collection: Collection | undefined, query: Query): Found {
  const { filter, sort, skip = 0, limit = 0, hint } = query;
  const plan = choosePlan(collection?.indexes ?? [], filter, sort, collection && hint);
  const enough = plan.sorted && limit ? skip + limit : Number.POSITIVE_INFINITY;
  const stats = { keysExamined: 0, docsExamined: 0 };
  const candidates = collection ? (plan.index ? scanned(collection, plan, stats) : collection.all(plan.reverse)) : [];
  const docs: Stored[] = [];
  const isCertain = plan.index !== undefined && saysAll(plan, filter);
  for (const doc of candidates) {
    stats.docsExamined += 1;
    if (!isCertain && !filter.test(doc.doc)) continue;
    docs.push(doc);
    if (docs.length >= enough) break;
  }
  const ordered = plan.sorted || !sort ? docs : orderOf(docs, sort, ({ doc }) => doc);
  return { docs: ordered.slice(skip, limit ? skip + limit : undefined), plan, ...stats };
}

/** The documents of a scan, each once. */
function* scanned(collection: Collection, plan: IndexScan, stats: { keysExamined: number }): Generator<Stored> {
  const seen = plan.index.multikey.includes(true) ? new Set<number>() : undefined;
  for (const { doc } of plan.merged ? merged(collection, plan) : inTurn(collection, plan)) {
    stats.keysExamined += 1;
    if (seen?.has(doc.record)) continue;
    seen?.add(doc.record);
    yield doc;
  }
}

function* inTurn(collection: Collection, { index, ranges, reverse }: IndexScan) {
  for (const range of ranges) yield* collection.scan(index, range, reverse);
}

/** Merges ranges that are sorted each, so that an `$in` before the sort field needs no sort in memory. */
function* merged(collection: Collection, { index, ranges, reverse }: IndexScan) {
  const scans = ranges.map((range) => ({ rows: collection.scan(index, range, reverse), fixed: range.fixed }));
  const heads = scans.flatMap(({ rows, fixed }) => {
    const first = rows.next();
    return first.done ? [] : [{ rows, fixed, row: first.value, rest: first.value.key.slice(fixed) }];
  });
  try {
    while (heads.length > 0) {
      const next = heads.reduce((a, b) => ((reverse ? b.rest > a.rest : b.rest < a.rest) ? b : a));
      yield next.row;
      const following = next.rows.next();
      if (following.done) heads.splice(heads.indexOf(next), 1);
      else [next.row, next.rest] = [following.value, following.value.key.slice(next.fixed)];
    }
  } finally {
    // A scan that is left open would keep its table from being dropped.
    for (const { rows } of heads) rows.return(undefined);
  }
}

/** What `explain` answers for a query, in the form of MongoDB 7. */
export function explainQuery(
  namespace: string,
  collection: Collection | undefined,
  query: Query,
  projected: boolean,
  verbosity: string,
): Doc {
  const started = performance.now();
  const { docs, plan, keysExamined, docsExamined } = runQuery(collection, query);
  const executionTimeMillis = Math.round(performance.now() - started);
  const direction = plan.reverse ? 'backward' : 'forward';
  const { source: filter, conditions } = query.filter;
  let stage: Doc = { stage: 'COLLSCAN', filter, direction };
  if (plan.index) {
    const { spec, multikey, fields } = plan.index;
    const bounds = fields.map((path, i) => {
      const used = conditions.filter((each) => i < plan.bound && each.path === path && each.intervals);
      return [path, used.map(({ operator, operand }) => JSON.stringify({ [operator]: operand }))];
    });
    stage = {
      stage: 'IXSCAN',
      keyPattern: spec.key,
      indexName: spec.name,
      isMultiKey: multikey.includes(true),
      isUnique: spec.unique ?? false,
      isSparse: spec.sparse ?? false,
      isPartial: spec.partialFilterExpression !== undefined,
      direction,
      indexBounds: Object.fromEntries(bounds),
      keysExamined,
    };
    if (plan.merged) stage = { stage: 'SORT_MERGE', sortPattern: query.sort, inputStage: stage };
    stage = { stage: 'FETCH', filter, docsExamined, inputStage: stage };
  }
  if (!plan.sorted) stage = { stage: 'SORT', sortPattern: query.sort, inputStage: stage };
  if (query.skip) stage = { stage: 'SKIP', skipAmount: query.skip, inputStage: stage };
  if (query.limit) stage = { stage: 'LIMIT', limitAmount: query.limit, inputStage: stage };
  if (projected) stage = { stage: 'PROJECTION_DEFAULT', inputStage: stage };
  const planned = { namespace, parsedQuery: filter, indexFilterSet: false, winningPlan: stage, rejectedPlans: [] };
  const executionStats = {
    executionSuccess: true,
    nReturned: docs.length,
    executionTimeMillis,
    totalKeysExamined: keysExamined,
    totalDocsExamined: docsExamined,
    executionStages: { ...stage, nReturned: docs.length },
  };
  return { explainVersion: '1', queryPlanner: planned, ...(verbosity !== 'queryPlanner' && { executionStats }) };
}
