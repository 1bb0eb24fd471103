import { CommandError } from './errors.ts';
import { arePoints, type Condition, compileFilter, type Filter, impliesPresence } from './filter.ts';
import type { Index } from './index.ts';
import { after, equals, type Interval, intersect, inverted, keyOf } from './keys.ts';
import type { SortSpec } from './sort.ts';
import { isDoc, isOperators, numberOf } from './values.ts';

/** The keys of an index from `low` up to, but without, `high`. */
export interface Range {
  readonly low: string;
  readonly high: string;
  /** How many bytes of the keys are fixed by equality: the rest gives the order. */
  readonly fixed: number;
}

/** How an index answers a query. */
export interface IndexScan {
  readonly index: Index;
  readonly ranges: readonly Range[];
  readonly reverse: boolean;
  /** True when the documents come in the order of the sort, and whether the ranges have to be merged for that. */
  readonly sorted: boolean;
  readonly merged: boolean;
  /** How many of the index's fields bound the ranges. */
  readonly bound: number;
}

/** A scan of an index, or of the whole collection in the order of insertion. */
export type Plan = IndexScan | { readonly index?: undefined; readonly reverse: boolean; readonly sorted: boolean };

/** Score of a whole key that is unique: at most one document. */
const one = 1000;

/** Operators that hold for a value if and only if its key lies in their intervals. */
const exact = /^\$(eq|in|gte?|lte?)$/;

/** `$in` lists on several fields multiply; beyond this many ranges the later lists are left to the filter. */
const maxRanges = 500;

/**
 * Chooses the access path: whole keys that are unique, then elements of arrays, then most fields bound by equality, then the
 * order of the sort, then a range.
 * @param hint an index name or key pattern, or `{ $natural: 1 }`
 * @throws CommandError BadValue when the hint names no index that holds every answer
 */
export function choosePlan(indexes: readonly Index[], filter: Filter, sort: SortSpec | undefined, hint: unknown): Plan {
  const hinted = hint !== undefined && hint !== null && !(isDoc(hint) && Object.keys(hint).length === 0);
  let best: Plan = { reverse: false, sorted: sort === undefined };
  if (isDoc(hint) && Object.hasOwn(hint, '$natural')) return { ...best, reverse: numberOf(hint.$natural) === -1 };
  let bestScore = hinted ? -1 : 0;
  for (const index of hinted ? indexes.filter((each) => isNamed(each, hint)) : indexes) {
    if (!holdsAll(index, filter.conditions)) continue;
    const { scan, score } = scanOf(index, filter.conditions, sort);
    if (score > bestScore) [best, bestScore] = [scan, score];
    // No other index finds less than the one document that this one does.
    if (score >= one) break;
  }
  if (hinted && !best.index) {
    const message =
      'error processing query: hint provided does not correspond to an existing index that holds every answer';
    throw new CommandError('BadValue', message);
  }
  return best;
}

/**
 * True when a document matches if and only if its key lies in the ranges, or the index holds it at all, and each document has one
 * key.
 */
export function saysAll({ index, bound }: IndexScan, { source, conditions }: Filter): boolean {
  if (index.multikey.includes(true)) return false;
  const bounded = index.fields.slice(0, bound);
  const held = index.spec.partialFilterExpression ?? {};
  const isSaid = (path: string, condition: unknown) => {
    if (isOperators(condition)) {
      return bounded.includes(path) && Object.keys(condition).every((operator) => exact.test(operator));
    }
    return bounded.includes(path) || (Object.hasOwn(held, path) && equals(held[path], condition));
  };
  return (
    Object.entries(source).every(([path, condition]) => isSaid(path, condition)) &&
    conditions.every(({ operator, intervals }) => exact.test(operator) && intervals)
  );
}

/** True when the name, or key pattern, is that of the index. */
export function isNamed({ spec }: Index, hint: unknown): boolean {
  if (!isDoc(hint)) return spec.name === hint;
  const pattern = Object.entries(hint).map(([path, direction]) => [path, numberOf(direction)]);
  return JSON.stringify(pattern) === JSON.stringify(Object.entries(spec.key));
}

/** True when every document that could match is in the index: always, unless it is partial or sparse. */
function holdsAll({ spec, fields, partial }: Index, given: readonly Condition[]): boolean {
  if (spec.sparse && !given.some((each) => fields.includes(each.path) && impliesPresence(each))) return false;
  return partial?.conditions.every((wanted) => given.some((each) => implies(each, wanted))) ?? true;
}

function implies(given: Condition, wanted: Condition): boolean {
  if (given.path !== wanted.path) return false;
  if (given.operator === wanted.operator && keyOf(given.operand) === keyOf(wanted.operand)) return true;
  if (wanted.operator === '$exists') return impliesPresence(given);
  if (!given.intervals?.length) return false;
  if (wanted.operator === '$type') {
    const { operator, operand } = given;
    return (
      operator === '$eq' &&
      impliesPresence(given) &&
      compileFilter({ v: { $type: wanted.operand } }).test({ v: operand })
    );
  }
  const common = intersect(given.intervals, wanted.intervals ?? []);
  return given.intervals.every(([low, high]) => common.some(([from, to]) => from === low && to === high));
}

function scanOf(index: Index, conditions: readonly Condition[], sort: SortSpec | undefined) {
  const { bound, prefixes } = boundsOf(index, conditions);
  const equalities = bound.filter(arePoints).length;
  const single = bound.map((intervals) => intervals.length === 1 && arePoints(intervals));
  const order = sort && orderFrom(index, sort, single, equalities, bound.length > 0);
  const last = bound[equalities];
  const ranges = prefixes.flatMap((prefix) => rangesOf(prefix, last, index.directions[equalities] === 1));
  const scan: IndexScan = {
    index,
    ranges: order?.reverse ? ranges.reverse() : ranges,
    reverse: order?.reverse ?? false,
    sorted: sort === undefined || order !== undefined,
    merged: order?.merged === true && ranges.length > 1,
    bound: bound.length,
  };
  // Together less than an equality: pages in the order of _id would else be looked for among all documents.
  let score = (last ? 1 : 0) + (order ? 7 : 0);
  for (let i = 0; i < equalities; i++) score += single[i] ? 10 : 9;
  if (index.spec.unique && equalities === index.fields.length) score += single.every(Boolean) ? one : 500;
  if (score > 0 && index.partial) score += 1 + 10 * heldEqualities(index, bound.length);
  // An element of an array, such as a word of a text, tells documents apart far better than a status or an order does.
  if (bound.some((_, i) => index.multikey[i])) score += 40;
  return { scan, score };
}

/** How many equalities bound no field, but hold for everything that is in the index. */
function heldEqualities({ partial, fields }: Index, bound: number): number {
  const isHeld = ({ path, operator }: Condition) => operator === '$eq' && !fields.slice(0, bound).includes(path);
  return partial?.conditions.filter(isHeld).length ?? 0;
}

/** The intervals of the leading fields: all points but for the last, and the keys of those points put together. */
function boundsOf(index: Index, conditions: readonly Condition[]) {
  const bound: (readonly Interval[])[] = [];
  let prefixes = [''];
  let throughArray = false;
  for (const [i, path] of index.fields.entries()) {
    const multikey = index.multikey[i] === true;
    // Two conditions on paths through one array may be met by different elements: only one of them bounds the scan.
    if (multikey && throughArray) break;
    const lists = conditions.flatMap((each) => (each.path === path && each.intervals ? [each.intervals] : []));
    if (lists.length === 0) break;
    const narrower = (a: readonly Interval[], b: readonly Interval[]) =>
      arePoints(b) && (!arePoints(a) || b.length < a.length) ? b : a;
    const intervals = lists.reduce(multikey ? narrower : intersect);
    const points = arePoints(intervals);
    if (points && prefixes.length > 1 && prefixes.length * intervals.length > maxRanges) break;
    throughArray ||= multikey;
    bound.push(intervals);
    if (!points) break;
    const ascending = index.directions[i] === 1;
    const keys = intervals.map(([low]) => (ascending ? low : inverted(low)));
    if (!ascending) keys.reverse();
    prefixes = prefixes.flatMap((prefix) => keys.map((key) => prefix + key));
  }
  return { bound, prefixes };
}

function rangesOf(prefix: string, intervals: readonly Interval[] | undefined, ascending: boolean): Range[] {
  const fixed = prefix.length;
  if (!intervals) return [{ low: prefix, high: prefix === '' ? '\xff' : after(prefix), fixed }];
  if (ascending) return intervals.map(([low, high]) => ({ low: prefix + low, high: prefix + high, fixed }));
  // In descending order what lies behind a key lies before its inversion.
  const turned = (edge: string) => prefix + after(inverted(edge));
  return intervals.map(([low, high]) => ({ low: turned(high), high: turned(low), fixed })).reverse();
}

/** How the index gives the order of the sort, if it does: from the first field that has several values, or behind all. */
function orderFrom(index: Index, sort: SortSpec, single: boolean[], equalities: number, bounded: boolean) {
  const fixed = (path: string) => single[index.fields.indexOf(path)] && !index.multikey[index.fields.indexOf(path)];
  const wanted = Object.entries(sort).filter(([path]) => !fixed(path));
  const first = single.indexOf(false);
  for (const start of new Set([first === -1 ? equalities : Math.min(first, equalities), equalities])) {
    const senses = new Set<number>();
    let at = start;
    const fits = wanted.every(([path, direction]) => {
      while (single[at] && index.fields[at] !== path) at += 1;
      senses.add(direction * (index.directions[at] ?? 0));
      at += 1;
      return index.fields[at - 1] === path && !(bounded && index.multikey[at - 1]);
    });
    if (fits && senses.size <= 1) return { reverse: senses.has(-1), merged: start === equalities && start !== first };
  }
  return undefined;
}
