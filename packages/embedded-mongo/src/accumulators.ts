import { CommandError, notImplemented } from './errors.ts';
import { compare, keyOf } from './order.ts';
import { bsonTag, type Doc, isDoc } from './values.ts';

type Accumulate = (values: unknown[]) => unknown;

const present = (values: unknown[]) => values.filter((value) => value !== null && value !== undefined);

function numbers(values: unknown[]): number[] {
  for (const value of values) {
    const tag = bsonTag(value);
    if (tag === 'Long' || tag === 'Decimal128') notImplemented(`arithmetic on ${tag} in aggregation`);
  }
  return values.filter((value) => typeof value === 'number');
}

const sum = (list: number[]) => list.reduce((total, n) => total + n, 0);

function deviation(values: unknown[], lost: 0 | 1): number | null {
  const list = numbers(values);
  if (list.length <= lost) return null;
  const mean = sum(list) / list.length;
  return Math.sqrt(sum(list.map((n) => (n - mean) ** 2)) / (list.length - lost));
}

/** The accumulators of `$group`, each over the values of its group; undefined stands for a missing field. */
export const accumulators: Record<string, Accumulate> = {
  $sum: (values) => sum(numbers(values)),
  $count: (values) => values.length,
  $avg: (values) => {
    const list = numbers(values);
    return list.length === 0 ? null : sum(list) / list.length;
  },
  $min: (values) => present(values).reduce<unknown>((a, b) => (a === null || compare(b, a) < 0 ? b : a), null),
  $max: (values) => present(values).reduce<unknown>((a, b) => (a === null || compare(b, a) > 0 ? b : a), null),
  $first: (values) => values[0] ?? null,
  $last: (values) => values.at(-1) ?? null,
  $push: (values) => values.filter((value) => value !== undefined),
  $addToSet: (values) => [
    ...new Map(values.filter((value) => value !== undefined).map((value) => [keyOf(value), value])).values(),
  ],
  $stdDevPop: (values) => deviation(values, 0),
  $stdDevSamp: (values) => deviation(values, 1),
  $mergeObjects: (values) => {
    const merged: Doc = {};
    for (const value of present(values)) {
      if (!isDoc(value)) throw new CommandError('BadValue', '$mergeObjects requires object inputs');
      Object.assign(merged, value);
    }
    return merged;
  },
};

/** Applies an accumulator. @throws CommandError NotImplemented when this server does not have it */
export function accumulate(name: string, values: unknown[]): unknown {
  const accumulator = accumulators[name];
  return accumulator ? accumulator(values) : notImplemented(`the accumulator ${name}`);
}
