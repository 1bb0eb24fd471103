import { CommandError, notImplemented } from './errors.ts';
import { compareKeys, inverted, keyOf } from './keys.ts';
import { type Path, valuesOf } from './paths.ts';
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
    if ((n !== 1 && n !== -1) || path.startsWith('$')) {
      const message = `$sort takes fields with 1 (for ascending) or -1 (for descending), not ${path}`;
      throw new CommandError('BadValue', message);
    }
    spec[path] = n;
  }
  return Object.keys(spec).length === 0 ? undefined : spec;
}

/** The keys of a document for an index, or a sort, on the paths in the directions. */
export function keysOf(
  doc: unknown,
  paths: readonly Path[],
  directions: readonly number[],
  through?: (place: number) => void,
  known?: KnownKeys,
): string[] {
  return valuesOf(doc, paths, through).map((values) => joined(values, directions, known));
}

/** Keys of values, ascending and descending, while several are made of the same values. */
export class KnownKeys {
  readonly #ascending = new Map<unknown, string>();
  readonly #descending = new Map<unknown, string>();

  /** The key of a value in a direction. */
  of(value: unknown, direction: number | undefined): string {
    const known = direction === 1 ? this.#ascending : this.#descending;
    const key = known.get(value) ?? directed(value, direction);
    known.set(value, key);
    return key;
  }
}

/** One key of several values. */
export function joined(values: readonly unknown[], directions: readonly number[], known?: KnownKeys): string {
  let key = '';
  for (let i = 0; i < values.length; i++) {
    key += known ? known.of(values[i], directions[i]) : directed(values[i], directions[i]);
  }
  return key;
}

function directed(value: unknown, direction: number | undefined): string {
  return direction === 1 ? keyOf(value) : inverted(keyOf(value));
}

/**
 * The items in the order of the sort; equal ones keep their order. A document with arrays sorts by its least key, in the
 * sense of the directions, which is where a scan of an index of the same pattern meets it first.
 */
export function orderOf<T>(items: readonly T[], spec: SortSpec, docOf: (item: T) => unknown): T[] {
  const directions = Object.values(spec);
  const paths = Object.keys(spec).map((path) => path.split('.'));
  const keyed = items.map((item) => {
    const keys = keysOf(docOf(item), paths, directions);
    return { item, key: keys.toSorted()[0] as string };
  });
  return keyed.sort((a, b) => compareKeys(a.key, b.key)).map(({ item }) => item);
}
