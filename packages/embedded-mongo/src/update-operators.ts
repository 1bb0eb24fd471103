import { Int32, Timestamp } from 'bson';
import { CommandError } from './errors.ts';
import { compileFilter } from './filter.ts';
import { arithmetic, bitwise } from './numbers.ts';
import { compare, equals, rank } from './order.ts';
import type { Path } from './paths.ts';
import { orderOf, parseSort } from './sort.ts';
import { placeOf, put, read, remove } from './update-path.ts';
import { bsonTag, cloneValue, type Doc, isDoc, numberOf, toPlain } from './values.ts';

/** Changes the document, in exact form, at a path without positional operators. */
export type Operate = (doc: Doc, path: Path, operand: unknown) => void;

const fail = (message: string) => new CommandError('BadValue', message);

/** An operator that makes a new value of the old one, undefined when there was none. */
function change(next: (old: unknown, operand: unknown, path: string) => unknown): Operate {
  return (doc, path, operand) => {
    const place = placeOf(doc, path, true);
    if (place) put(place, next(read(place), operand, path.join('.')));
  };
}

/** An operator on an array that must be there, or else nothing happens. */
function changeArray(name: string, next: (array: unknown[], operand: unknown) => unknown[]): Operate {
  return (doc, path, operand) => {
    const place = placeOf(doc, path, false);
    const old = place && read(place);
    if (!place || old === undefined) return;
    if (!Array.isArray(old)) throw fail(`Cannot apply ${name} to a non-array value`);
    put(place, next(old, operand));
  };
}

function arrayOf(old: unknown, name: string, path: string): unknown[] {
  if (old === undefined) return [];
  if (!Array.isArray(old)) throw fail(`The field '${path}' must be an array for ${name} but is of another type`);
  return old.slice();
}

function eachOf(operand: unknown, name: string): unknown[] {
  if (!isDoc(operand) || Object.keys(operand)[0] === undefined || !Object.hasOwn(operand, '$each')) return [operand];
  if (!Array.isArray(operand.$each)) throw fail(`The argument to $each in ${name} must be an array`);
  return operand.$each;
}

function push(old: unknown, operand: unknown, path: string): unknown {
  const array = arrayOf(old, '$push', path);
  const values = eachOf(operand, '$push');
  if (values[0] === operand) return [...array, operand];
  const { $each: _each, $position, $slice, $sort, ...rest } = operand as Doc;
  if (Object.keys(rest).length > 0) throw fail(`Unrecognized clause in $push: ${Object.keys(rest)[0]}`);
  const position = $position === undefined ? array.length : numberOf($position);
  array.splice(position < 0 ? Math.max(0, array.length + position) : position, 0, ...values);
  const sorted = $sort === undefined ? array : sortedBy(array, $sort);
  if ($slice === undefined) return sorted;
  const count = numberOf($slice);
  return count < 0 ? sorted.slice(count) : sorted.slice(0, count);
}

function sortedBy(array: unknown[], sort: unknown): unknown[] {
  if (isDoc(sort)) return orderOf(array, parseSort(sort) ?? {}, (element) => element);
  const direction = numberOf(sort);
  if (direction !== 1 && direction !== -1) throw fail('The $sort element value must be either 1 or -1');
  return array.slice().sort((a, b) => direction * compare(a, b));
}

function pulls(operand: unknown): (element: unknown) => boolean {
  if (bsonTag(operand) === 'BSONRegExp') {
    const filter = compileFilter({ v: operand });
    return (element) => filter.test({ v: toPlain(element) });
  }
  if (!isDoc(operand)) return (element) => equals(element, operand);
  if (Object.keys(operand)[0]?.startsWith('$') && !/^\$(and|or|nor)$/.test(Object.keys(operand)[0] ?? '')) {
    const filter = compileFilter({ v: toPlain(operand) });
    return (element) => filter.test({ v: filter.exact ? element : toPlain(element) });
  }
  const filter = compileFilter(toPlain(operand));
  return (element) => isDoc(element) && filter.test(filter.exact ? element : (toPlain(element) as Doc));
}

function now(operand: unknown): unknown {
  const type = isDoc(operand) ? operand.$type : operand === true ? 'date' : undefined;
  if (type === 'date') return new Date();
  if (type === 'timestamp') return new Timestamp({ t: Math.floor(Date.now() / 1000), i: 1 });
  throw fail("The '$type' string field of $currentDate is required to be 'date' or 'timestamp'");
}

/** The update operators by name; `$rename` and `$setOnInsert` work on what `update.ts` gives them. */
export const updateOperators: Record<string, Operate> = {
  $set: change((_old, operand) => operand),
  $setOnInsert: change((_old, operand) => operand),
  $unset: (doc, path) => {
    const place = placeOf(doc, path, false);
    if (place) remove(place);
  },
  $inc: change((old, operand, path) => arithmetic('$inc', old ?? zeroLike(old, operand), operand, path)),
  $mul: change((old, operand, path) => arithmetic('$mul', old ?? zeroLike(old, operand), operand, path)),
  $min: change((old, operand) => (old === undefined || compare(operand, old) < 0 ? operand : old)),
  $max: change((old, operand) => (old === undefined || compare(operand, old) > 0 ? operand : old)),
  $currentDate: change((_old, operand) => now(operand)),
  $bit: change((old, operand) => {
    const entries = isDoc(operand) ? Object.entries(operand) : [];
    if (entries.length === 0) throw fail('The $bit modifier needs an object with and, or or xor');
    return entries.reduce<unknown>((value, [verb, mask]) => {
      if (!['and', 'or', 'xor'].includes(verb))
        throw fail(`The $bit modifier only supports 'and', 'or', and 'xor', not '${verb}'`);
      return bitwise(verb, value, mask);
    }, old ?? new Int32(0));
  }),
  $push: change(push),
  $addToSet: change((old, operand, path) => {
    const array = arrayOf(old, '$addToSet', path);
    for (const value of eachOf(operand, '$addToSet')) {
      if (!array.some((element) => equals(element, value))) array.push(value);
    }
    return array;
  }),
  $pop: changeArray('$pop', (array, operand) => {
    const end = numberOf(operand);
    if (end !== 1 && end !== -1) throw new CommandError('FailedToParse', '$pop expects 1 or -1');
    return end === 1 ? array.slice(0, -1) : array.slice(1);
  }),
  $pull: changeArray('$pull', (array, operand) => {
    const pulled = pulls(operand);
    return array.filter((element) => !pulled(element));
  }),
  $pullAll: changeArray('$pullAll', (array, operand) => {
    if (!Array.isArray(operand)) throw fail('$pullAll requires an array argument');
    return array.filter((element) => !operand.some((value) => equals(element, value)));
  }),
  $rename: (doc, path, operand) => {
    for (const [i] of path.entries()) {
      const before = placeOf(doc, path.slice(0, i), false);
      if (before && Array.isArray(read(before))) throw fail('The source field of $rename cannot be an array element');
    }
    const from = placeOf(doc, path, false);
    const value = from && read(from);
    if (!from || value === undefined) return;
    const to = placeOf(doc, String(operand).split('.'), true);
    if (Array.isArray(to?.parent)) throw fail('The destination field of $rename cannot be an array element');
    remove(from);
    if (to) put(to, cloneValue(value));
  },
};

/** What a missing field counts as: an int zero, so that the result has the operand's type; null stays an error. */
function zeroLike(old: unknown, operand: unknown): unknown {
  if (old === null || rank(operand) !== 10) return old;
  return new Int32(0);
}
