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
  if (part === undefined) return test(value) || (expand && Array.isArray(value) && value.some(test));
  if (!Array.isArray(value)) {
    return isDoc(value) ? reaches(field(value, part), path, test, expand, at + 1) : test(undefined);
  }
  if (isPosition(part) && Number(part) < value.length) {
    // An array at a position is not gone into when the path ends there, and a scalar has no fields to be missing.
    const element: unknown = value[Number(part)];
    const last = at + 1 === path.length;
    if (last && test(element)) return true;
    if (!last && typeof element === 'object' && reaches(element, path, test, expand, at + 1)) return true;
  }
  return value.some((element) => isDoc(element) && reaches(element, path, test, expand, at));
}

/** What has been reached of a path, and how it goes on; final without `rest`. */
interface Head {
  readonly value: unknown;
  readonly rest?: Path;
}

/**
 * The values under which an index, or a sort, on the paths knows the document: one list, or with arrays one per element.
 * A missing field counts as null, an empty array at the end of its path as undefined, as in MongoDB's own index keys.
 * @param through told the places of paths that lead through an array
 * @throws CommandError CannotIndexParallelArrays when two paths lead through different arrays
 */
export function valuesOf(doc: unknown, paths: readonly Path[], through?: (place: number) => void): unknown[][] {
  const values = valuesWithoutArrays(doc, paths);
  if (values) return [values];
  return expand(
    paths.map((rest) => ({ value: doc, rest })),
    through,
  );
}

/** The values at the paths, as most documents have them; undefined when one leads to an array or through one. */
function valuesWithoutArrays(doc: unknown, paths: readonly Path[]): unknown[] | undefined {
  const values: unknown[] = [];
  for (const path of paths) {
    let at = doc;
    for (const part of path) {
      if (Array.isArray(at)) return undefined;
      at = isDoc(at) ? field(at, part) : undefined;
    }
    if (Array.isArray(at)) return undefined;
    values.push(at === undefined ? null : at);
  }
  return values;
}

function expand(heads: readonly Head[], through?: (place: number) => void): unknown[][] {
  const reached = heads.map(advance);
  const open = reached.flatMap(({ rest }, place) => (rest ? [place] : []));
  const array = reached[open[0] ?? -1]?.value as unknown[] | undefined;
  if (array === undefined) return [reached.map(({ value }) => value)];
  for (const place of open) {
    if (reached[place]?.value !== array)
      throw new CommandError('CannotIndexParallelArrays', 'cannot index parallel arrays');
    through?.(place);
  }
  return (array.length === 0 ? [undefined] : array).flatMap((element) =>
    expand(
      reached.map((head) => {
        if (!head.rest) return head;
        if (head.rest.length === 0) return { value: element };
        return isDoc(element) ? { value: element, rest: head.rest } : { value: null };
      }),
      through,
    ),
  );
}

/** Follows a path to its end, or to an array that it leads through. */
function advance({ value, rest }: Head): Head {
  let at = value;
  for (let i = 0; rest !== undefined; i++) {
    const part = rest[i];
    if (Array.isArray(at)) {
      if (part === undefined || !isPosition(part)) return { value: at, rest: rest.slice(i) };
      at = at[Number(part)];
    } else if (part === undefined) return { value: at === undefined ? null : at };
    else at = isDoc(at) ? field(at, part) : undefined;
  }
  return { value: at };
}
