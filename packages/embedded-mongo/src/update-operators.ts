import { Double, Long, Timestamp } from 'bson';
import { CommandError, notImplemented } from './errors.ts';
import { compileFilter } from './filter.ts';
import { compare, equals } from './keys.ts';
import type { Path } from './paths.ts';
import { orderOf, parseSort } from './sort.ts';
import { placeOf, put, read, remove } from './update-path.ts';
import { bsonTag, type Doc, isDoc, isInt, isOperators, numberOf, typeName } from './values.ts';

/** Changes the document at a path without positional operators. */
export type Operate = (doc: Doc, path: Path, operand: unknown) => void;

const fail = (message: string) => new CommandError('BadValue', message);

/** An operator that makes a new value of the old one, undefined when there was none. */
function change(next: (old: unknown, operand: unknown, path: string) => unknown): Operate {
  return (doc, path, operand) => {
    const place = placeOf(doc, path, true);
    if (place) put(place, next(read(place), operand, path.join('.')));
  };
}

/** An operator that keeps some elements of an array, which must be there, or else nothing happens. */
function keep(
  name: string,
  chooser: (operand: unknown, array: unknown[]) => (element: unknown, i: number) => boolean,
): Operate {
  return (doc, path, operand) => {
    const place = placeOf(doc, path, false);
    const old = place && read(place);
    if (!place || old === undefined) return;
    if (!Array.isArray(old)) throw fail(`Cannot apply ${name} to a non-array value`);
    put(place, old.filter(chooser(operand, old)));
  };
}

/** Calculates as MongoDB does: the result has the wider of the two types, and an int that overflows becomes a long. */
function arithmetic(
  verb: string,
  floats: (a: number, b: number) => number,
  ints: (a: bigint, b: bigint) => bigint,
): Operate {
  return change((old = 0, operand, path) => {
    const types = [old, operand].map(typeName);
    if (!types.every((type) => /^(int|long|double|decimal)$/.test(type))) {
      throw new CommandError(
        'TypeMismatch',
        `Cannot apply ${verb} to '${path}' with or to a value of non-numeric type`,
      );
    }
    if (types.includes('decimal')) notImplemented(`${verb} with Decimal128`);
    if (types.includes('double')) {
      const n = floats(numberOf(old), numberOf(operand));
      return isInt(n) ? new Double(n) : n;
    }
    return whole(ints(bigOf(old), bigOf(operand)), types.includes('long'), path);
  });
}

function bigOf(value: unknown): bigint {
  return Long.isLong(value) ? value.toBigInt() : BigInt(value as number);
}

function whole(n: bigint, long: boolean, path: string): number | Long {
  if (!long && n === BigInt.asIntN(32, n)) return Number(n);
  if (n !== BigInt.asIntN(64, n)) throw fail(`Failed to apply the update to '${path}': integer overflow`);
  return Long.fromBigInt(n);
}

function bitwise(old: unknown = 0, operand: unknown, path: string): unknown {
  const [[verb = '', mask] = [], ...others] = isDoc(operand) ? Object.entries(operand) : [];
  if (!['and', 'or', 'xor'].includes(verb) || others.length > 0)
    throw fail('The $bit modifier needs one of and, or and xor');
  const types = [old, mask].map(typeName);
  if (!types.every((type) => type === 'int' || type === 'long'))
    throw fail('Cannot apply $bit to a value of non-integral type');
  const [a, b] = [bigOf(old), bigOf(mask)];
  return whole(verb === 'and' ? a & b : verb === 'or' ? a | b : a ^ b, types.includes('long'), path);
}

function arrayOf(old: unknown = [], name: string, path: string): unknown[] {
  if (!Array.isArray(old)) throw fail(`The field '${path}' must be an array for ${name} but is of another type`);
  return old.slice();
}

function eachOf(operand: unknown, name: string): unknown[] {
  if (!isDoc(operand) || !Object.hasOwn(operand, '$each')) return [operand];
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
  return array.toSorted((a, b) => direction * compare(a, b));
}

function pulled(operand: unknown): (element: unknown) => boolean {
  const ofValues = isOperators(operand) && !/^\$(and|or|nor)$/.test(Object.keys(operand)[0] ?? '');
  if (!ofValues && !isDoc(operand) && bsonTag(operand) !== 'BSONRegExp') return (element) => equals(element, operand);
  const filter = compileFilter(isDoc(operand) && !ofValues ? operand : { v: operand });
  if (isDoc(operand) && !ofValues) return (element) => isDoc(element) && filter.test(element);
  return (element) => filter.test({ v: element });
}

function now(operand: unknown): unknown {
  const type = isDoc(operand) ? operand.$type : operand === true ? 'date' : undefined;
  if (type === 'date') return new Date();
  if (type === 'timestamp') return new Timestamp({ t: Math.floor(Date.now() / 1000), i: 1 });
  throw fail("The '$type' string field of $currentDate is required to be 'date' or 'timestamp'");
}

/** The update operators by name. */
export const updateOperators: Record<string, Operate> = {
  $set: change((_old, operand) => operand),
  $setOnInsert: change((_old, operand) => operand),
  $unset: (doc, path) => {
    const place = placeOf(doc, path, false);
    if (place) remove(place);
  },
  $inc: arithmetic(
    '$inc',
    (a, b) => a + b,
    (a, b) => a + b,
  ),
  $mul: arithmetic(
    '$mul',
    (a, b) => a * b,
    (a, b) => a * b,
  ),
  $min: change((old, operand) => (old === undefined || compare(operand, old) < 0 ? operand : old)),
  $max: change((old, operand) => (old === undefined || compare(operand, old) > 0 ? operand : old)),
  $currentDate: change((_old, operand) => now(operand)),
  $bit: change(bitwise),
  $push: change(push),
  $addToSet: change((old, operand, path) => {
    const array = arrayOf(old, '$addToSet', path);
    for (const value of eachOf(operand, '$addToSet')) {
      if (!array.some((element) => equals(element, value))) array.push(value);
    }
    return array;
  }),
  $pop: keep('$pop', (operand, array) => {
    const end = numberOf(operand);
    if (end !== 1 && end !== -1) throw new CommandError('FailedToParse', '$pop expects 1 or -1');
    return (_element, i) => i !== (end === 1 ? array.length - 1 : 0);
  }),
  $pull: keep('$pull', (operand) => {
    const goes = pulled(operand);
    return (element) => !goes(element);
  }),
  $pullAll: keep('$pullAll', (operand) => {
    if (!Array.isArray(operand)) throw fail('$pullAll requires an array argument');
    return (element) => !operand.some((value) => equals(element, value));
  }),
  $rename: (doc, path, operand) => {
    const target = String(operand).split('.');
    const inArray = [path, target].some((each) =>
      each.some((_part, i) => Array.isArray(placeOf(doc, each.slice(0, i + 1), false)?.parent)),
    );
    if (inArray) throw fail('The source and the destination of $rename cannot be array elements');
    const from = placeOf(doc, path, false);
    const value = from && read(from);
    if (!from || value === undefined) return;
    remove(from);
    const to = placeOf(doc, target, true);
    if (to) put(to, value);
  },
};
