import { CommandError } from './errors.ts';
import { compileFilter, type Filter } from './filter.ts';
import { isPosition, type Path } from './paths.ts';
import { type Doc, field, isDoc, setField, toPlain } from './values.ts';

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
  let name = '';
  for (const [i, key] of path.entries()) {
    const viable = isDoc(parent) || (Array.isArray(parent) && isPosition(key));
    if (!viable) {
      if (!create) return undefined;
      throw new CommandError(
        'PathNotViable',
        `Cannot create field '${key}' in element {${name}: ${JSON.stringify(parent)}}`,
      );
    }
    const container = parent as Doc | unknown[];
    if (i === path.length - 1) return { parent: container, key };
    let next = read({ parent: container, key });
    if (next === undefined) {
      if (!create) return undefined;
      next = {};
      put({ parent: container, key }, next);
    }
    parent = next;
    name = key;
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
    if (compiled.has(name))
      throw new CommandError(
        'FailedToParse',
        `Found multiple array filters with the same top-level field name ${name}`,
      );
    if (!paths.some((path) => path.includes(`$[${name}]`))) {
      throw new CommandError('FailedToParse', `The array filter for identifier '${name}' was not used in the update`);
    }
    compiled.set(name, compileFilter(toPlain(filter)));
  }
  return compiled;
}

function firstField(filter: unknown): string | undefined {
  if (!isDoc(filter)) return undefined;
  for (const [key, value] of Object.entries(filter)) {
    if (!key.startsWith('$')) return key;
    if (Array.isArray(value)) return value.map(firstField).find((name) => name !== undefined);
  }
  return undefined;
}

/** The paths without positional operators that a path with them means in this document. */
export function expandPath(doc: Doc, path: Path, positions: Positions): Path[] {
  const at = path.findIndex((part) => part.startsWith('$'));
  if (at === -1) return [path];
  const before = path.slice(0, at);
  const place = placeOf(doc, before, false);
  const array = place && read(place);
  const operator = path[at] as string;
  if (!Array.isArray(array)) {
    throw new CommandError(
      'BadValue',
      `The path '${before.join('.')}' must exist in the document in order to apply array updates.`,
    );
  }
  const chosen: number[] = [];
  if (operator === '$') {
    const position = positions.filter ? matchedPosition(positions.filter.normal, toPlain(doc) as Doc, before) : -1;
    if (position === -1)
      throw new CommandError('BadValue', 'The positional operator did not find the match needed from the query.');
    chosen.push(position);
  } else if (operator === '$[]') chosen.push(...array.keys());
  else {
    const name = /^\$\[(.+)\]$/.exec(operator)?.[1];
    const filter = name === undefined ? undefined : positions.arrayFilters.get(name);
    if (!filter || name === undefined) {
      throw new CommandError(
        'BadValue',
        `No array filter found for identifier '${name ?? operator}' in path '${path.join('.')}'`,
      );
    }
    array.forEach((element, i) => {
      if (filter.test({ [name]: filter.exact ? element : toPlain(element) })) chosen.push(i);
    });
  }
  return chosen.flatMap((position) => expandPath(doc, [...before, String(position), ...path.slice(at + 1)], positions));
}

/** The position of the first element of the array by which the filter matched the document, or -1. */
export function matchedPosition(filter: Doc, doc: Doc, path: Path): number {
  const place = placeOf(doc, path, false);
  const array = place && read(place);
  const tests = elementTests(filter, path.join('.'));
  if (!Array.isArray(array) || tests.length === 0) return -1;
  const all = array.findIndex((element) => tests.every((test) => test(element)));
  return all === -1 ? array.findIndex((element) => tests[0]?.(element)) : all;
}

function elementTests(filter: Doc, path: string): ((element: unknown) => boolean)[] {
  return Object.entries(filter).flatMap(([key, condition]) => {
    if (key === '$and') return (condition as Doc[]).flatMap((part) => elementTests(part, path));
    if (key !== path && !key.startsWith(`${path}.`)) return [];
    const test = compileFilter({ [`v${key.slice(path.length)}`]: condition });
    return [(element: unknown) => test.test({ v: [element] })];
  });
}
