import type { Filter } from './filter.ts';
import type { Index } from './index.ts';
import { boundsText, choosePlan, type IndexScan, type Plan } from './planner.ts';
import { compareKeys, orderOf, type SortSpec } from './sort.ts';
import type { Stored } from './stored.ts';
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

/** What a query needs of its collection. */
export interface Source {
  readonly namespace: string;
  readonly docs: ReadonlyMap<number, Stored>;
  readonly indexes: readonly Index[];
}

/** The documents that a query found, and how. */
export interface Found {
  readonly docs: Stored[];
  readonly plan: Plan;
  readonly keysExamined: number;
  readonly docsExamined: number;
}

/** Answers a query. The documents are shared with the collection, so they must not be changed. */
export function runQuery(source: Source, query: Query): Found {
  const plan = choosePlan(source.indexes, query.filter, query.sort, query.hint);
  const stats = { keysExamined: 0 };
  const skip = query.skip ?? 0;
  const enough = plan.sorted && query.limit ? skip + query.limit : Number.POSITIVE_INFINITY;
  const candidates = plan.index ? scanned(plan, stats) : natural(source.docs, plan.reverse);
  const docs: Stored[] = [];
  let docsExamined = 0;
  for (const doc of candidates) {
    docsExamined += 1;
    if (!query.filter.test(query.filter.exact ? doc.exact() : doc.plain)) continue;
    docs.push(doc);
    if (docs.length >= enough) break;
  }
  const ordered = plan.sorted || !query.sort ? docs : orderOf(docs, query.sort, (doc) => doc.plain);
  const page = skip || query.limit ? ordered.slice(skip, query.limit ? skip + query.limit : undefined) : ordered;
  return { docs: page, plan, keysExamined: stats.keysExamined, docsExamined };
}

function natural(docs: ReadonlyMap<number, Stored>, reverse: boolean): Iterable<Stored> {
  return reverse ? [...docs.values()].reverse() : docs.values();
}

/** The documents of a scan, each once. */
function* scanned(scan: IndexScan, stats: { keysExamined: number }): Generator<Stored> {
  const seen = scan.index.multikey.includes(true) ? new Set<number>() : undefined;
  for (const doc of scan.sorted && scan.ranges.length > 1 && scan.mergeBy.length > 0
    ? merged(scan, stats)
    : inTurn(scan, stats)) {
    if (seen?.has(doc.id)) continue;
    seen?.add(doc.id);
    yield doc;
  }
}

function* inTurn(scan: IndexScan, stats: { keysExamined: number }): Generator<Stored> {
  for (const range of scan.ranges) for (const { doc } of scan.index.scan(range, scan.reverse, stats)) yield doc;
}

/** Merges ranges that are sorted each, so that an `$in` before the sort field needs no sort in memory. */
function* merged(scan: IndexScan, stats: { keysExamined: number }): Generator<Stored> {
  const sense = scan.reverse ? -1 : 1;
  const directions = scan.mergeBy.map((place) => (scan.index.directions[place] as number) * sense);
  const heads = scan.ranges.flatMap((range) => {
    const rest = scan.index.scan(range, scan.reverse, stats);
    const first = rest.next();
    return first.done
      ? []
      : [{ rest, doc: first.value.doc, key: scan.mergeBy.map((place) => first.value.values[place]) }];
  });
  while (heads.length > 0) {
    let least = heads[0] as (typeof heads)[number];
    for (const head of heads) if (compareKeys(head.key, least.key, directions) < 0) least = head;
    yield least.doc;
    const next = least.rest.next();
    if (next.done) heads.splice(heads.indexOf(least), 1);
    else {
      least.doc = next.value.doc;
      least.key = scan.mergeBy.map((place) => next.value.values[place]);
    }
  }
}

/** What `explain` answers for a query, in the form of MongoDB 7. */
export function explainQuery(source: Source, query: Query, projected: boolean, verbosity: string): Doc {
  const found = runQuery(source, query);
  const counters = { nReturned: found.docs.length };
  const { plan } = found;
  let stage: Doc;
  if (plan.index) {
    const { spec, multikey, fields } = plan.index;
    stage = {
      stage: 'IXSCAN',
      keyPattern: spec.key,
      indexName: spec.name,
      isMultiKey: multikey.includes(true),
      multiKeyPaths: Object.fromEntries(fields.map((path, i) => [path, multikey[i] ? [path.split('.')[0]] : []])),
      isUnique: spec.unique ?? false,
      isSparse: spec.sparse ?? false,
      isPartial: spec.partialFilterExpression !== undefined,
      indexVersion: 2,
      direction: plan.reverse ? 'backward' : 'forward',
      indexBounds: boundsText(plan),
      keysExamined: found.keysExamined,
    };
    if (plan.sorted && plan.ranges.length > 1 && plan.mergeBy.length > 0)
      stage = { stage: 'SORT_MERGE', sortPattern: query.sort, inputStage: stage };
    stage = { stage: 'FETCH', filter: query.filter.normal, docsExamined: found.docsExamined, inputStage: stage };
  } else {
    stage = { stage: 'COLLSCAN', filter: query.filter.normal, direction: plan.reverse ? 'backward' : 'forward' };
  }
  if (!plan.sorted) stage = { stage: 'SORT', sortPattern: query.sort, inputStage: stage };
  if (query.skip) stage = { stage: 'SKIP', skipAmount: query.skip, inputStage: stage };
  if (query.limit) stage = { stage: 'LIMIT', limitAmount: query.limit, inputStage: stage };
  if (projected) stage = { stage: 'PROJECTION_DEFAULT', inputStage: stage };
  return {
    explainVersion: '1',
    queryPlanner: {
      namespace: source.namespace,
      parsedQuery: query.filter.normal,
      indexFilterSet: false,
      winningPlan: stage,
      rejectedPlans: [],
    },
    ...(verbosity !== 'queryPlanner' && {
      executionStats: {
        executionSuccess: true,
        ...counters,
        executionTimeMillis: 0,
        totalKeysExamined: found.keysExamined,
        totalDocsExamined: found.docsExamined,
        executionStages: { ...stage, ...counters },
      },
    }),
  };
}
