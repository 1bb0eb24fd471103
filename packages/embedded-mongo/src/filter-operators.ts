import { Long } from 'bson';
import { Query } from 'mingo/query';
import type { Options, QueryOperator } from 'mingo/types';
import { CommandError } from './errors.ts';
import { compare, equals, keyOf, rank } from './order.ts';
import { reaches } from './paths.ts';
import { bsonTag, type Doc, isDoc, numberOf, typeName, typeNumbers } from './values.ts';

// mingo compares BSON objects by their text, sorts arrays before comparing them and knows another order of types, so its
// query predicates are replaced, through its own registry of operators, by these. They take plain and exact forms alike.

type Test = (value: unknown) => boolean;

/** A test of single values for a comparison with `operand`, within the operand's own type as in MongoDB. */
function ordered(operand: unknown, accepts: (order: number) => boolean): Test {
  if (operand === null || operand === undefined) return (value) => (value ?? null) === null && accepts(0);
  const tag = bsonTag(operand);
  if (tag === 'MinKey' || tag === 'MaxKey') return (value) => accepts(compare(value ?? null, operand));
  const type = rank(operand);
  if (Number.isNaN(numberOf(operand)) && type === 10) return (value) => accepts(0) && equals(value, operand);
  return (value) => rank(value) === type && !isNaNValue(value) && accepts(compare(value, operand));
}

function isNaNValue(value: unknown): boolean {
  return rank(value) === 10 && Number.isNaN(numberOf(value));
}

function equal(operand: unknown): Test {
  if (operand === null || operand === undefined) return (value) => value === null || value === undefined;
  if (typeof operand === 'string' || typeof operand === 'boolean') return (value) => value === operand;
  return (value) => value !== undefined && equals(value, operand);
}

function matchesRegExp(pattern: RegExp): Test {
  return (value) => (typeof value === 'string' ? pattern.test(value) : rank(value) === 50 && equals(value, pattern));
}

function oneOf(operands: unknown[]): Test {
  const patterns = operands.filter((operand) => operand instanceof RegExp).map(matchesRegExp);
  const keys = new Set(
    operands.filter((operand) => !(operand instanceof RegExp)).map((operand) => keyOf(operand ?? null)),
  );
  return (value) => keys.has(keyOf(value ?? null)) || patterns.some((test) => test(value));
}

function hasType(operand: unknown): Test {
  const wanted = new Set<string>();
  for (const type of Array.isArray(operand) ? operand : [operand]) {
    const n = numberOf(type);
    const name = Number.isNaN(n) ? String(type) : Object.keys(typeNumbers).find((key) => typeNumbers[key] === n);
    if (name === undefined || !(name === 'number' || name in typeNumbers)) {
      throw new CommandError('BadValue', `Unknown type name alias: ${String(type)}`);
    }
    wanted.add(name);
  }
  const number = wanted.has('number');
  return (value) => value !== undefined && (wanted.has(typeName(value)) || (number && rank(value) === 10));
}

/** True when `$type` asks for one certain type of number, which only the exact form of a document can tell. */
export function needsExactTypes(operand: unknown): boolean {
  return (Array.isArray(operand) ? operand : [operand]).some((type) =>
    ['int', 'long', 'double', 1, 16, 18].includes(typeof type === 'string' ? type : numberOf(type)),
  );
}

function modulo(operand: unknown): Test {
  const [divisor, remainder] = Array.isArray(operand) ? operand.map((n) => Math.trunc(numberOf(n))) : [];
  if (!divisor || remainder === undefined || (operand as unknown[]).length !== 2) {
    throw new CommandError('BadValue', 'malformed mod, needs to be [divisor, remainder]');
  }
  return (value) => {
    if (rank(value) !== 10) return false;
    if (value instanceof Long) return value.mod(divisor).equals(remainder);
    return Math.trunc(numberOf(value)) % divisor === remainder;
  };
}

/** A test of the bits of whole numbers against a mask: a number, or a list of bit positions. */
function bits(accepts: (value: bigint, mask: bigint) => boolean): (operand: unknown) => Test {
  return (operand) => {
    const positions = Array.isArray(operand) ? operand.map(numberOf) : undefined;
    const n = numberOf(operand);
    const valid = positions
      ? positions.every((at) => Number.isInteger(at) && at >= 0 && at < 64)
      : Number.isSafeInteger(n) && n >= 0;
    if (!valid)
      throw new CommandError('BadValue', 'a bit mask has to be a non-negative whole number or a list of positions');
    const mask = positions ? positions.reduce((sum, at) => sum | (1n << BigInt(at)), 0n) : BigInt(n);
    return (value) => {
      if (value instanceof Long) return accepts(BigInt.asUintN(64, value.toBigInt()), mask);
      const whole = rank(value) === 10 && Number.isSafeInteger(numberOf(value));
      return whole && accepts(BigInt.asUintN(64, BigInt(numberOf(value))), mask);
    };
  };
}

/** The field under which `$elemMatch` tests an element by itself: the elements of that, if it is an array, do not count. */
const elementField = '\0element';

/** A test of one array element for the operand of `$elemMatch`, which filters.ts has normalized. */
function element(operand: Doc, options: Options): Test {
  const first = Object.keys(operand)[0];
  if (first?.startsWith('$') && !['$and', '$or', '$nor', '$expr'].includes(first)) {
    const query = new Query({ [elementField]: operand }, options);
    return (value) => query.test({ [elementField]: value });
  }
  const query = new Query(operand, options);
  return (value) => isDoc(value) && query.test(value);
}

/** Makes a mingo operator of a test of values; `expand` says that elements of an array count as values too. */
function operator(make: (operand: unknown, options: Options) => Test, expand = true, negated = false): QueryOperator {
  return ((selector: string, operand: unknown, options: Options) => {
    const path = selector.split('.');
    const test = make(operand, options);
    const deep = expand && selector !== elementField;
    return (doc: unknown) => reaches(doc, path, test, deep) !== negated;
  }) as unknown as QueryOperator;
}

const all = ((selector: string, operands: unknown[], options: Options) => {
  const path = selector.split('.');
  const tests = operands.map((operand) => {
    if (operand instanceof RegExp) return { test: matchesRegExp(operand), expand: true };
    if (!isDoc(operand) || !Object.hasOwn(operand, '$elemMatch')) return { test: equal(operand), expand: true };
    const test = element(operand.$elemMatch as Doc, options);
    return { test: (value: unknown) => Array.isArray(value) && value.some(test), expand: false };
  });
  return (doc: unknown) => tests.length > 0 && tests.every(({ test, expand }) => reaches(doc, path, test, expand));
}) as unknown as QueryOperator;

const not = ((selector: string, operand: Doc, options: Options) => {
  const query = new Query({ [selector]: operand }, options);
  return (doc: Doc) => !query.test(doc);
}) as unknown as QueryOperator;

/** The predicates that take the place of mingo's. */
export const queryOperators: Record<string, QueryOperator> = {
  $eq: operator(equal),
  $ne: operator(equal, true, true),
  $in: operator((operand) => oneOf(operand as unknown[])),
  $nin: operator((operand) => oneOf(operand as unknown[]), true, true),
  $gt: operator((operand) => ordered(operand, (order) => order > 0)),
  $gte: operator((operand) => ordered(operand, (order) => order >= 0)),
  $lt: operator((operand) => ordered(operand, (order) => order < 0)),
  $lte: operator((operand) => ordered(operand, (order) => order <= 0)),
  $exists: ((selector: string, wanted: boolean) => {
    const path = selector.split('.');
    return (doc: unknown) => reaches(doc, path, (value) => value !== undefined, false) === wanted;
  }) as unknown as QueryOperator,
  $type: operator(hasType),
  $mod: operator(modulo),
  $regex: operator((operand) => matchesRegExp(operand as RegExp)),
  $size: operator((operand) => (value) => Array.isArray(value) && value.length === operand, false),
  $elemMatch: operator((operand, options) => {
    const test = element(operand as Doc, options);
    return (value) => Array.isArray(value) && value.some(test);
  }, false),
  $bitsAllSet: operator(bits((value, mask) => (value & mask) === mask)),
  $bitsAnySet: operator(bits((value, mask) => (value & mask) !== 0n)),
  $bitsAllClear: operator(bits((value, mask) => (value & mask) === 0n)),
  $bitsAnyClear: operator(bits((value, mask) => (value & mask) !== mask)),
  $all: all,
  $not: not,
};
