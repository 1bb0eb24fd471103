import { CommandError } from './errors.ts';
import { field, isDoc } from './values.ts';

/** A dotted path in its parts. */
export type Path = readonly string[];

/** True for a part that can be a position in an array. */
export function isPosition(part: string): boolean {
  return /^(0|[1-9]\d*)$/.test(part);
}

/**
 * True when a value that the path reaches passes the test, going into every element of arrays on the way as MongoDB
 * does. A missing field is tested as undefined. With `expand`, the elements of an array at the end are tested too.
 */
export function reaches(
  value: unknown,
  path: Path,
  test: (value: unknown) => boolean,
  expand: boolean,
  at = 0,
): boolean {
  const part = path[at];
  if (part === undefined) {
    if (test(value)) return true;
    return expand && Array.isArray(value) && value.some(test);
  }
  if (Array.isArray(value)) {
    if (isPosition(part) && Number(part) < value.length) {
      // An array at a position is not gone into when the path ends there, and a scalar has no fields to be missing.
      const element: unknown = value[Number(part)];
      if (at + 1 === path.length) {
        if (test(element)) return true;
      } else if ((isDoc(element) || Array.isArray(element)) && reaches(element, path, test, expand, at + 1))
        return true;
    }
    return value.some((element) => isDoc(element) && reaches(element, path, test, expand, at));
  }
  return isDoc(value) ? reaches(field(value, part), path, test, expand, at + 1) : test(undefined);
}

interface Walker {
  readonly paths: readonly Path[];
  readonly keys: unknown[][];
  readonly multikey?: boolean[] | undefined;
}

/**
 * The keys under which an index, or a sort, on the paths knows the document: one, or with arrays one per element.
 * A missing field counts as null, an empty array at the end of its path as undefined, as in MongoDB's own index keys.
 * @param multikey if given, set to true at the places of paths that led through an array
 * @throws CommandError CannotIndexParallelArrays when two paths lead through different arrays
 */
export function indexKeys(doc: unknown, paths: readonly Path[], multikey?: boolean[]): unknown[][] {
  const walker: Walker = { paths, keys: [], multikey };
  walk(
    walker,
    paths.map(() => doc),
    paths.map(() => 0),
  );
  return walker.keys;
}

/** `values[i]` is what has been reached of path i, `at[i]` the next part to follow; -1 when the value is final. */
function walk(walker: Walker, values: unknown[], at: number[]): void {
  let array: unknown[] | undefined;
  const through: number[] = [];
  for (let i = 0; i < values.length; i++) {
    const path = walker.paths[i] as Path;
    let value = values[i];
    let next = at[i] as number;
    while (next !== -1) {
      if (Array.isArray(value)) {
        const part = path[next];
        if (part === undefined || !isPosition(part)) break;
        value = value[Number(part)];
      } else if (next === path.length) {
        next = -1;
        break;
      } else value = isDoc(value) ? field(value, path[next] as string) : undefined;
      next += 1;
    }
    values[i] = next === -1 && value === undefined && at[i] !== -1 ? null : value;
    at[i] = next;
    if (next === -1) continue;
    if (array !== undefined && array !== value) {
      throw new CommandError('CannotIndexParallelArrays', 'cannot index parallel arrays');
    }
    array = value as unknown[];
    through.push(i);
    if (walker.multikey) walker.multikey[i] = true;
  }
  if (array === undefined) {
    walker.keys.push(values);
    return;
  }
  for (const element of array.length === 0 ? [undefined] : array) {
    const nextValues = values.slice();
    const nextAt = at.slice();
    for (const i of through) {
      const final = at[i] === (walker.paths[i] as Path).length;
      nextValues[i] = final || isDoc(element) ? element : null;
      if (final || !isDoc(element)) nextAt[i] = -1;
    }
    walk(walker, nextValues, nextAt);
  }
}
