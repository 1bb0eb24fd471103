import { compare, Edge, equals, rank } from './order.ts';
import { bsonTag, type Doc, numberOf } from './values.ts';

/** A set of values from `low` to `high` in MongoDB's order of values. */
export interface Interval {
  readonly low: unknown;
  readonly lowInclusive: boolean;
  readonly high: unknown;
  readonly highInclusive: boolean;
}

/** What one condition of a filter asks of a path: its value, or one of its array's elements, lies in an interval. */
export interface Constraint {
  readonly operator: string;
  readonly operand: unknown;
  /** Sorted and disjoint; undefined when the condition says nothing that an index could use. */
  readonly intervals: readonly Interval[] | undefined;
}

/** An interval of one value. */
export function isPoint(interval: Interval): boolean {
  return interval.lowInclusive && interval.highInclusive && equals(interval.low, interval.high);
}

/** The interval of all values. */
export const everything: Interval = {
  low: new Edge(-10),
  lowInclusive: true,
  high: new Edge(1000),
  highInclusive: true,
};

/** The conditions that every match of a normalized filter meets, by path. */
export function constraintsOf(
  filter: Doc,
  prefix = '',
  found = new Map<string, Constraint[]>(),
): Map<string, Constraint[]> {
  for (const [key, value] of Object.entries(filter)) {
    if (key === '$and' || (key === '$or' && (value as Doc[]).length === 1)) {
      for (const part of value as Doc[]) constraintsOf(part, prefix, found);
    } else if (!key.startsWith('$')) collect(prefix + key, value as Doc, found);
  }
  return found;
}

function collect(path: string, condition: Doc, found: Map<string, Constraint[]>): void {
  for (const [operator, operand] of Object.entries(condition)) {
    const list = found.get(path) ?? [];
    found.set(path, list);
    list.push({ operator, operand, intervals: intervalsOf(operator, operand) });
    if (operator === '$elemMatch') {
      const nested = operand as Doc;
      const ofValues =
        Object.keys(nested)[0]?.startsWith('$') && !['$and', '$or'].includes(Object.keys(nested)[0] ?? '');
      if (ofValues) collect(path, nested, found);
      else constraintsOf(nested, `${path}.`, found);
    }
  }
}

function point(value: unknown): Interval {
  return { low: value, lowInclusive: true, high: value, highInclusive: true };
}

/** The values that fulfil a condition, or more of them; undefined when no index helps. */
export function intervalsOf(operator: string, operand: unknown): Interval[] | undefined {
  switch (operator) {
    case '$eq':
      return Array.isArray(operand) ? undefined : [point(operand ?? null)];
    case '$in':
      return pointsOf(operand as unknown[]);
    case '$all': {
      const scalar = (operand as unknown[]).find(
        (value) => rank(value) !== 25 && rank(value) !== 20 && rank(value) !== 50,
      );
      return scalar === undefined ? undefined : [point(scalar)];
    }
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte':
      return [ordered(operator, operand)].filter((interval) => interval !== undefined);
    case '$regex':
      return prefixOf(operand as RegExp);
    default:
      return undefined;
  }
}

function pointsOf(operands: readonly unknown[]): Interval[] | undefined {
  if (operands.some((value) => Array.isArray(value) || rank(value) === 50)) return undefined;
  const sorted = operands.map((value) => value ?? null).sort(compare);
  return sorted.filter((value, i) => i === 0 || !equals(value, sorted[i - 1])).map(point);
}

function ordered(operator: string, operand: unknown): Interval | undefined {
  if (operand === null || operand === undefined) return point(null);
  const tag = bsonTag(operand);
  const type = rank(operand);
  if (Array.isArray(operand) || tag === 'MinKey' || tag === 'MaxKey') return everything;
  if (type === 10 && Number.isNaN(numberOf(operand))) return point(operand);
  return operator.startsWith('$g')
    ? { low: operand, lowInclusive: operator === '$gte', high: new Edge(type + 0.5), highInclusive: true }
    : { low: new Edge(type - 0.5), lowInclusive: true, high: operand, highInclusive: operator === '$lte' };
}

/** The strings that begin as a pattern such as /^abc/ says, and all stored regular expressions, which could be equal. */
function prefixOf(pattern: RegExp): Interval[] | undefined {
  if (/[ims]/.test(pattern.flags) || !pattern.source.startsWith('^') || pattern.source.includes('|')) return undefined;
  let prefix = '';
  let rest = pattern.source.slice(1);
  for (;;) {
    const match = /^(?:[^\\^$.*+?()[\]{}|]|\\[^a-zA-Z0-9])/.exec(rest);
    if (!match) break;
    rest = rest.slice(match[0].length);
    if (/^[*?{]/.test(rest)) break;
    prefix += match[0].at(-1);
  }
  if (prefix === '') return undefined;
  const high = prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
  return [
    { low: prefix, lowInclusive: true, high, highInclusive: false },
    { low: new Edge(49.5), lowInclusive: true, high: new Edge(50.5), highInclusive: true },
  ];
}

/** The values that lie in both sets. */
export function intersect(a: readonly Interval[], b: readonly Interval[]): Interval[] {
  const out: Interval[] = [];
  for (const x of a) {
    for (const y of b) {
      const byLow = compare(x.low, y.low) || Number(y.lowInclusive) - Number(x.lowInclusive);
      const byHigh = compare(x.high, y.high) || Number(x.highInclusive) - Number(y.highInclusive);
      const { low, lowInclusive } = byLow >= 0 ? x : y;
      const { high, highInclusive } = byHigh <= 0 ? x : y;
      const order = compare(low, high);
      if (order < 0 || (order === 0 && lowInclusive && highInclusive))
        out.push({ low, lowInclusive, high, highInclusive });
    }
  }
  return out;
}

/** True when each of the intervals lies within one of the others. */
export function within(intervals: readonly Interval[], others: readonly Interval[]): boolean {
  return intervals.every((interval) => {
    const common = intersect([interval], others);
    return common.some(
      (each) =>
        equals(each.low, interval.low) &&
        equals(each.high, interval.high) &&
        each.lowInclusive === interval.lowInclusive &&
        each.highInclusive === interval.highInclusive,
    );
  });
}

/** True when a condition holds only for documents in which the path exists. */
export function impliesPresence(constraint: Constraint): boolean {
  if (constraint.operator === '$exists') return constraint.operand === true;
  if (constraint.operator === '$elemMatch' || constraint.operator === '$type') return true;
  return constraint.intervals !== undefined && intersect(constraint.intervals, [point(null)]).length === 0;
}
