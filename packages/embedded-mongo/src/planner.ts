import {
  type Constraint,
  constraintsOf,
  everything,
  type Interval,
  impliesPresence,
  intersect,
  isPoint,
  within,
} from './bounds.ts';
import { CommandError } from './errors.ts';
import { compileFilter, type Filter } from './filter.ts';
import type { Index, Range } from './index.ts';
import { Edge, equals } from './order.ts';
import type { SortSpec } from './sort.ts';
import { type Doc, isDoc, numberOf } from './values.ts';

/** How an index answers a query. */
export interface IndexScan {
  readonly index: Index;
  readonly ranges: readonly Range[];
  readonly reverse: boolean;
  /** Places in the index's fields by which several ranges are merged to be in the order of the sort. */
  readonly mergeBy: readonly number[];
  /** True when the documents come in the order of the sort. */
  readonly sorted: boolean;
  /** The intervals of each field, as explain shows them. */
  readonly bounds: Readonly<Record<string, readonly Interval[]>>;
}

/** A scan of an index, or of the whole collection in the order of insertion. */
export type Plan = IndexScan | { readonly index?: undefined; readonly reverse: boolean; readonly sorted: boolean };

/** `$in` lists on several fields multiply; beyond this many ranges the later lists are left to the filter. */
const maxRanges = 500;

/**
 * Chooses the access path: most fields bound by equality, then the order of the sort, then a range.
 * @param hint an index name or key pattern, or `{ $natural: 1 }`
 * @throws CommandError BadValue when the hint names no index
 */
export function choosePlan(indexes: readonly Index[], filter: Filter, sort: SortSpec | undefined, hint: unknown): Plan {
  const constraints = constraintsOf(filter.normal);
  if (hint !== undefined && hint !== null && !(isDoc(hint) && Object.keys(hint).length === 0)) {
    return hinted(indexes, constraints, sort, hint);
  }
  let best: Plan = { reverse: false, sorted: sort === undefined };
  let bestScore = 0;
  for (const index of indexes) {
    if (index.spec.hidden || !holdsAll(index, constraints)) continue;
    const { scan, score } = scanOf(index, constraints, sort);
    if (score > bestScore) [best, bestScore] = [scan, score];
  }
  return best;
}

function hinted(
  indexes: readonly Index[],
  constraints: Map<string, Constraint[]>,
  sort: SortSpec | undefined,
  hint: unknown,
): Plan {
  if (isDoc(hint) && Object.hasOwn(hint, '$natural')) {
    return { reverse: numberOf(hint.$natural) === -1, sorted: sort === undefined };
  }
  const pattern = isDoc(hint) ? JSON.stringify(Object.entries(hint).map(([k, v]) => [k, numberOf(v)])) : undefined;
  const index = indexes.find(({ spec }) =>
    pattern ? JSON.stringify(Object.entries(spec.key)) === pattern : spec.name === hint,
  );
  if (!index)
    throw new CommandError(
      'BadValue',
      'error processing query: hint provided does not correspond to an existing index',
    );
  if (!holdsAll(index, constraints)) {
    throw new CommandError('BadValue', 'the hinted index is partial or sparse and does not hold every answer');
  }
  return scanOf(index, constraints, sort).scan;
}

/** True when every document that could match is in the index: always, unless it is partial or sparse. */
function holdsAll(index: Index, constraints: Map<string, Constraint[]>): boolean {
  if (index.spec.sparse && !index.fields.some((path) => constraints.get(path)?.some(impliesPresence))) return false;
  if (!index.partial) return true;
  for (const [path, wanted] of constraintsOf(index.partial.normal)) {
    const given = constraints.get(path) ?? [];
    if (!wanted.every((each) => given.some((constraint) => implies(path, constraint, each)))) return false;
  }
  return Object.keys(index.partial.normal).every((key) => !key.startsWith('$') || key === '$and');
}

function implies(path: string, given: Constraint, wanted: Constraint): boolean {
  if (given.operator === wanted.operator && equals(given.operand, wanted.operand)) return true;
  if (wanted.operator === '$exists' && wanted.operand === true) return impliesPresence(given);
  if (!given.intervals || given.intervals.length === 0) return false;
  if (['$eq', '$in', '$gt', '$gte', '$lt', '$lte'].includes(wanted.operator)) {
    return wanted.intervals !== undefined && within(given.intervals, wanted.intervals);
  }
  if (wanted.operator !== '$type' || path === '') return false;
  const type = compileFilter({ v: { $type: wanted.operand } });
  return !type.exact && given.intervals.every((interval) => isPoint(interval) && type.test({ v: interval.low }));
}

function scanOf(index: Index, constraints: Map<string, Constraint[]>, sort: SortSpec | undefined) {
  const { bound, combinations } = boundsOf(index, constraints);
  const equalities = bound.filter((intervals) => intervals.every(isPoint)).length;
  const single = bound.map((intervals) => intervals.length === 1 && intervals.every(isPoint));
  const order = sort ? orderFrom(index, sort, single, equalities, bound.length > 0) : undefined;
  const last = bound.length > equalities ? (bound[equalities] ?? []) : undefined;
  const ranges = combinations.flatMap((values) =>
    (last ?? [undefined]).map((interval) => rangeOf(index, values, interval)),
  );
  const scan: IndexScan = {
    index,
    ranges: order?.reverse ? ranges.reverse() : ranges,
    reverse: order?.reverse ?? false,
    mergeBy: order?.places ?? [],
    sorted: sort === undefined || order !== undefined,
    bounds: Object.fromEntries(index.fields.map((path, i) => [path, bound[i] ?? [everything]])),
  };
  let score = (last ? 4 : 0) + (order ? 8 : 0);
  for (let i = 0; i < equalities; i++) score += single[i] ? 10 : 9;
  if (index.spec.unique && single.length === index.fields.length && single.every(Boolean)) score += 1000;
  if (score > 0 && index.partial) score += 1;
  return { scan, score };
}

/** The intervals of the leading fields: all points but for the last, and the combinations of those points. */
function boundsOf(index: Index, constraints: Map<string, Constraint[]>) {
  const bound: (readonly Interval[])[] = [];
  let combinations: unknown[][] = [[]];
  let throughArray = false;
  for (const [i, path] of index.fields.entries()) {
    const multikey = index.multikey[i] === true;
    // Two conditions on paths through one array may be met by different elements: only one of them bounds the scan.
    if (multikey && throughArray) break;
    const lists = (constraints.get(path) ?? []).flatMap(({ intervals }) => (intervals ? [intervals] : []));
    if (lists.length === 0) break;
    const narrowest = lists.reduce((a, b) => (b.every(isPoint) && (!a.every(isPoint) || b.length < a.length) ? b : a));
    const intervals = multikey ? narrowest : lists.reduce<readonly Interval[]>(intersect, [everything]);
    if (intervals.some(({ low, high }) => low === everything.low && high === everything.high)) break;
    throughArray ||= multikey;
    bound.push(intervals);
    if (!intervals.every(isPoint)) break;
    if (combinations.length * intervals.length > maxRanges && combinations.length > 1) {
      bound.pop();
      break;
    }
    const ordered = index.directions[i] === 1 ? intervals : intervals.toReversed();
    combinations = combinations.flatMap((values) => ordered.map(({ low }) => [...values, low]));
  }
  return { bound, combinations };
}

/** How the index gives the order of the sort, if it does. */
function orderFrom(index: Index, sort: SortSpec, single: boolean[], equalities: number, bounded: boolean) {
  const places: number[] = [];
  let sense = 0;
  let at = 0;
  for (const [path, direction] of Object.entries(sort)) {
    const fixed = index.fields.indexOf(path);
    if (fixed !== -1 && single[fixed] && !index.multikey[fixed]) continue;
    while (at < equalities && index.fields[at] !== path) at += 1;
    if (index.fields[at] !== path || (bounded && index.multikey[at])) return undefined;
    const here = direction * (index.directions[at] as number);
    if (sense !== 0 && here !== sense) return undefined;
    sense = here;
    places.push(at);
    at += 1;
  }
  return { reverse: sense === -1, places };
}

function rangeOf(index: Index, values: readonly unknown[], interval: Interval | undefined): Range {
  if (!interval) return { low: { values, inclusive: true }, high: { values, inclusive: true } };
  const low = { values: [...values, interval.low], inclusive: interval.lowInclusive };
  const high = { values: [...values, interval.high], inclusive: interval.highInclusive };
  return index.directions[values.length] === 1 ? { low, high } : { low: high, high: low };
}

/** An interval as MongoDB's explain writes it. */
export function intervalText({ low, lowInclusive, high, highInclusive }: Interval): string {
  const text = (value: unknown, none: string) =>
    value instanceof Edge
      ? value.rank === -10 || value.rank === 1000
        ? none
        : `type<${value.rank}>`
      : (JSON.stringify(value) ?? 'undefined');
  return `${lowInclusive ? '[' : '('}${text(low, 'MinKey')}, ${text(high, 'MaxKey')}${highInclusive ? ']' : ')'}`;
}

/** The bounds of a scan as explain shows them. */
export function boundsText(scan: IndexScan): Doc {
  return Object.fromEntries(Object.entries(scan.bounds).map(([path, list]) => [path, list.map(intervalText)]));
}
