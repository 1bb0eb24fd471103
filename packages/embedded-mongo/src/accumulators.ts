import { CommandError, notImplemented } from './errors.ts';
import { compare, keyOf } from './keys.ts';
import { bsonTag, type Doc, isDoc } from './values.ts';

type Accumulate = (values: unknown[]) => unknown;

const present = (values: unknown[]) => values.filter((value) => value !== null && value !== undefined);
const pushed = (values: unknown[]) => values.filter((value) => value !== undefined);
const sum = (list: number[]) => list.reduce((total, n) => total + n, 0);

function extreme(sense: number): Accumulate {
  return (values) => present(values).reduce<unknown>((a, b) => (a === null || compare(b, a) * sense > 0 ? b : a), null);
}

function numbers(values: unknown[]): number[] {
  values.forEach(assertPlainNumber);
  return values.filter((value) => typeof value === 'number');
}

/** @throws CommandError NotImplemented for a Decimal128, or a Long outside the safe integers */
export function assertPlainNumber(value: unknown): void {
  const tag = bsonTag(value);
  if (tag === 'Long' || tag === 'Decimal128') notImplemented(`arithmetic on ${tag} in aggregation`);
}

/** The accumulators of `$group`, each over the values of its group; undefined stands for a missing field. */
export const accumulators: Record<string, Accumulate> = {
  $sum: (values) => sum(numbers(values)),
  $count: (values) => values.length,
  $avg: (values) => {
    const list = numbers(values);
    return list.length === 0 ? null : sum(list) / list.length;
  },
  $min: extreme(-1),
  $max: extreme(1),
  $first: (values) => values[0] ?? null,
  $last: (values) => values.at(-1) ?? null,
  $push: pushed,
  $addToSet: (values) => [...new Map(pushed(values).map((value) => [keyOf(value), value])).values()],
  $mergeObjects: (values) => {
    if (!present(values).every(isDoc)) throw new CommandError('BadValue', '$mergeObjects requires object inputs');
    return Object.assign({}, ...(present(values) as Doc[]));
  },
};
