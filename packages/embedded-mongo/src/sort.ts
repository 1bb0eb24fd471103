import { CommandError, notImplemented } from './errors.ts';
import { compare } from './order.ts';
import { indexKeys } from './paths.ts';
import { isDoc, numberOf } from './values.ts';

/** Fields in the order of their weight, 1 ascending and -1 descending. */
export type SortSpec = Record<string, 1 | -1>;

/** Checks a sort given by a client; undefined when it is empty. @throws CommandError BadValue */
export function parseSort(sort: unknown): SortSpec | undefined {
  if (sort === undefined || sort === null) return undefined;
  if (!isDoc(sort)) throw new CommandError('TypeMismatch', 'sort must be an object');
  const spec: SortSpec = {};
  for (const [path, direction] of Object.entries(sort)) {
    if (isDoc(direction)) notImplemented('sort by $meta');
    const n = numberOf(direction);
    if (n !== 1 && n !== -1) {
      throw new CommandError(
        'BadValue',
        `$sort key ordering must be 1 (for ascending) or -1 (for descending): ${path}`,
      );
    }
    if (path === '$natural') throw new CommandError('BadValue', 'use hint for $natural');
    if (path.startsWith('$')) throw new CommandError('BadValue', `sort field names may not start with '$': ${path}`);
    spec[path] = n;
  }
  return Object.keys(spec).length === 0 ? undefined : spec;
}

/** Compares two keys of the same fields, each with its direction. */
export function compareKeys(a: readonly unknown[], b: readonly unknown[], directions: readonly number[]): number {
  for (let i = 0; i < directions.length; i++) {
    const order = compare(a[i], b[i]);
    if (order !== 0) return order * (directions[i] as number);
  }
  return 0;
}

/**
 * The items in the order of the sort; equal ones keep their order. A document with arrays sorts by its least key, in the
 * sense of the directions, which is where a scan of an index of the same pattern meets it first.
 */
export function orderOf<T>(items: readonly T[], spec: SortSpec, docOf: (item: T) => unknown): T[] {
  const directions = Object.values(spec);
  const paths = Object.keys(spec).map((path) => path.split('.'));
  const keyed = items.map((item) => {
    const keys = indexKeys(docOf(item), paths);
    let least = keys[0] as unknown[];
    for (const key of keys) if (compareKeys(key, least, directions) < 0) least = key;
    return { item, key: least };
  });
  return keyed.sort((a, b) => compareKeys(a.key, b.key, directions)).map(({ item }) => item);
}
