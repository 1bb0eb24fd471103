import { CommandError } from './errors.ts';
import { compileFilter, type Filter } from './filter.ts';
import { isPosition, type Path } from './paths.ts';
import { type Doc, field, isDoc, setField } from './values.ts';

const maxPadding = 100_000;

/** A place in a document: a key of a document or a position in an array. */
export interface Place {
  readonly parent: Doc | unknown[];
  readonly key: string;
}

/**
 * Goes to the last but one part of a path without positional operators.
 * @param create whether to make the documents on the way that are missing; otherwise undefined is returned
 * @throws CommandError PathNotViable when a scalar or a wrong position stands in the way of making them
 */
export function placeOf(doc: Doc, path: Path, create: boolean): Place | undefined {
  let parent: unknown = doc;
  for (const [i, key] of path.entries()) {
    if (!isDoc(parent) && !(Array.isArray(parent) && isPosition(key))) {
      if (!create) return undefined;
      const shown = `{${path[i - 1] ?? ''}: ${JSON.stringify(parent)}}`;
      throw new CommandError('PathNotViable', `Cannot create field '${key}' in element ${shown}`);
    }
    const place = { parent: parent as Doc | unknown[], key };
    if (i === path.length - 1) return place;
    if (read(place) === undefined && create) put(place, {});
    parent = read(place);
  }
  return undefined;
}

/** The value at a place, undefined when there is none. */
export function read({ parent, key }: Place): unknown {
  return Array.isArray(parent) ? parent[Number(key)] : field(parent, key);
}

/** Sets the value at a place; an array is filled with nulls up to it. */
export function put({ parent, key }: Place, value: unknown): void {
  if (!Array.isArray(parent)) {
    setField(parent, key, value);
    return;
  }
  const position = Number(key);
  if (position - parent.length > maxPadding)
    throw new CommandError('PathNotViable', `position ${key} is too far behind the end`);
  while (parent.length < position) parent.push(null);
  parent[position] = value;
}

/** Removes what is at a place; in an array null stays there. */
export function remove({ parent, key }: Place): void {
  if (!Array.isArray(parent)) delete parent[key];
  else if (Number(key) < parent.length) parent[Number(key)] = null;
}

/** What positional operators in an update's paths refer to. */
export interface Positions {
  /** The filter that chose the document, for `$`; absent when an upsert inserts. */
  readonly filter?: Filter;
  /** The filters for `$[identifier]`. */
  readonly arrayFilters: ReadonlyMap<string, Filter>;
}

/** Compiles `arrayFilters`. @throws CommandError FailedToParse when one is malformed or not used by a path */
export function compileArrayFilters(filters: unknown, paths: readonly string[]): Map<string, Filter> {
  const compiled = new Map<string, Filter>();
  for (const filter of Array.isArray(filters) ? filters : []) {
    const name = firstField(filter)?.split('.')[0];
    if (name === undefined || !/^[a-z][a-zA-Z0-9]*$/.test(name)) {
      throw new CommandError('BadValue', 'an array filter needs an identifier that begins with a lowercase letter');
    }
    if (compiled.has(name) || !paths.some((path) => path.includes(`$[${name}]`))) {
      const message = `The array filter for identifier '${name}' was given twice, or not used in the update`;
      throw new CommandError('FailedToParse', message);
    }
    compiled.set(name, compileFilter(filter));
  }
  return compiled;
}

function firstField(filter: unknown): string | undefined {
  if (!isDoc(filter)) return undefined;
  const [[key = '', value] = []] = Object.entries(filter);
  return key.startsWith('$') && Array.isArray(value) ? firstField(value[0]) : key;
}

/** The paths without positional operators that a path with them means in this document. */
export function expandPath(doc: Doc, path: Path, positions: Positions): Path[] {
  const at = path.findIndex((part) => part.startsWith('$'));
  if (at === -1) return [path];
  const before = path.slice(0, at);
  const place = placeOf(doc, before, false);
  const array = place && read(place);
  if (!Array.isArray(array)) {
    const message = `The path '${before.join('.')}' must exist in the document in order to apply array updates.`;
    throw new CommandError('BadValue', message);
  }
  const chosen = [...array.keys()].filter(chooser(array, path, at, positions));
  return chosen.flatMap((position) => expandPath(doc, [...before, String(position), ...path.slice(at + 1)], positions));
}

/** Tells which positions of the array the operator at a place of the path stands for. */
function chooser(array: unknown[], path: Path, at: number, positions: Positions): (position: number) => boolean {
  if (path[at] === '$[]') return () => true;
  if (path[at] === '$') {
    const position = matchedPosition(positions.filter, array, path.slice(0, at).join('.'));
    return (each) => each === position;
  }
  const name = /^\$\[(.+)\]$/.exec(path[at] ?? '')?.[1] ?? '';
  const filter = positions.arrayFilters.get(name);
  if (!filter) {
    throw new CommandError('BadValue', `No array filter found for identifier '${name}' in path '${path.join('.')}'`);
  }
  return (each) => filter.test({ [name]: array[each] });
}

/** The position of the first element of the array by which the filter matched the document. @throws CommandError */
function matchedPosition(filter: Filter | undefined, array: unknown[], path: string): number {
  const conditions = filter?.conditions.filter((each) => `${each.path}.`.startsWith(`${path}.`)) ?? [];
  const filters = conditions.map((each) =>
    compileFilter({ [`v${each.path.slice(path.length)}`]: { [each.operator]: each.operand } }),
  );
  const fits = (tests: Filter[]) => array.findIndex((element) => tests.every((test) => test.test({ v: [element] })));
  const all = filters.length > 0 ? fits(filters) : -1;
  const position = all === -1 && filters.length > 1 ? fits(filters.slice(0, 1)) : all;
  if (position !== -1) return position;
  throw new CommandError('BadValue', 'The positional operator did not find the match needed from the query.');
}
