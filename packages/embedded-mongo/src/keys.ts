import type { Binary, DBRef, Long, ObjectId, Timestamp } from 'bson';
import { notImplemented } from './errors.ts';
import { bsonTag, type Doc, isDoc } from './values.ts';

// Every value has a key: a string of bytes (latin1), such that keys compare as MongoDB orders values of any types, and
// equal values (1, 1.0 and a long 1) have equal keys. No key begins another one, so a sequence of keys compares field by
// field, and each begins with the rank of its type. Each ends in 1, 2 or 3, so the last byte can be counted up.

/** The ranks of the types in MongoDB's order. NaN has its own, since it is comparable with itself only. */
const ranks = {
  MinKey: '\x01',
  emptyArray: '\x02',
  null: '\x05',
  NaN: '\x09',
  number: '\x0a',
  string: '\x0f',
  object: '\x14',
  array: '\x19',
  Binary: '\x1e',
  ObjectId: '\x23',
  bool: '\x28',
  date: '\x2d',
  Timestamp: '\x2f',
  regex: '\x32',
  MaxKey: '\x7f',
};

const end = '\0\x01';
const scratch = Buffer.alloc(8);

/** The key of a value; undefined stands for an empty array in an index. */
export function keyOf(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return `${ranks.string}${text(value)}`;
    case 'number':
      return Number.isNaN(value) ? `${ranks.NaN}\x01` : `${ranks.number}${double(value)}\x02`;
    case 'boolean':
      return `${ranks.bool}${value ? '\x02' : '\x01'}`;
    case 'undefined':
      return `${ranks.emptyArray}\x01`;
  }
  if (value === null) return `${ranks.null}\x01`;
  if (Array.isArray(value)) return `${ranks.array}${value.map(keyOf).join('')}${end}`;
  if (value instanceof Date) return `${ranks.date}${double(value.getTime())}\x01`;
  if (value instanceof RegExp)
    return `${ranks.regex}${text(value.source)}${text(value.flags.replaceAll(/[^ims]/g, ''))}`;
  return isDoc(value) ? docKey(value) : taggedKey(value);
}

function docKey(doc: Doc): string {
  let fields = '';
  for (const name of Object.keys(doc)) {
    const key = keyOf(doc[name]);
    fields += `${key.charAt(0)}${text(name)}${key}`;
  }
  return `${ranks.object}${fields}${end}`;
}

function taggedKey(value: unknown): string {
  const tag = bsonTag(value);
  switch (tag) {
    case 'Int32':
    case 'Double':
      return keyOf((value as { value: number }).value);
    case 'Long':
      return long(value as Long);
    case 'ObjectId':
      return `${ranks.ObjectId}${latin1((value as ObjectId).id)}\x01`;
    case 'Binary': {
      const { sub_type, position } = value as Binary;
      return `${ranks.Binary}${double(position)}${String.fromCharCode(sub_type)}${latin1((value as Binary).value())}\x01`;
    }
    case 'Timestamp':
      return `${ranks.Timestamp}${double((value as Timestamp).t)}${double((value as Timestamp).i)}\x01`;
    case 'BSONRegExp': {
      const { pattern, options } = value as { pattern: string; options: string };
      return `${ranks.regex}${text(pattern)}${text(options)}`;
    }
    case 'DBRef': {
      const { collection, oid, db, fields } = value as DBRef;
      return docKey({ $ref: collection, $id: oid, ...(db !== undefined && { $db: db }), ...fields });
    }
    case 'MinKey':
    case 'MaxKey':
      return `${ranks[tag]}\x01`;
    default:
      return notImplemented(`comparing values of type ${tag}`);
  }
}

/** True when MongoDB holds the two values for equal: 1 equals 1.0, but the order of fields counts. */
export function equals(a: unknown, b: unknown): boolean {
  return a === b || keyOf(a) === keyOf(b);
}

/** MongoDB's order over values of any types: negative, 0 or positive. */
export function compare(a: unknown, b: unknown): number {
  return compareKeys(keyOf(a), keyOf(b));
}

/** The order of two keys. */
export function compareKeys(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/** The key for a field in descending order. */
export function inverted(key: string): string {
  const bytes = Buffer.from(key, 'latin1');
  for (let at = 0; at < bytes.length; at++) bytes[at] = 255 - (bytes[at] as number);
  return bytes.toString('latin1');
}

/** The least string behind all that begin with the key. */
export function after(key: string): string {
  return key.slice(0, -1) + String.fromCharCode(key.charCodeAt(key.length - 1) + 1);
}

/** The keys from `low` up to, but without, `high`. Both are a key, what comes after a key, or a rank. */
export type Interval = readonly [low: string, high: string];

/** The interval of one value. */
export function point(value: unknown): Interval {
  const key = keyOf(value);
  return [key, after(key)];
}

/** True for the interval of one value. */
export function isPoint([low, high]: Interval): boolean {
  return low.length > 1 && high === after(low);
}

/** The values of the operand's type that are greater than it, less, or also equal. */
export function ordered(operator: string, operand: unknown): Interval[] {
  if (operand === null || operand === undefined) return operator.endsWith('e') ? [point(null)] : [];
  const key = keyOf(operand);
  const extreme = bsonTag(operand) === 'MinKey' || bsonTag(operand) === 'MaxKey';
  const [low, high] = extreme ? [ranks.MinKey, after(ranks.MaxKey)] : [key.charAt(0), after(key.charAt(0))];
  const found: Interval =
    operator[1] === 'g'
      ? [operator === '$gte' ? key : after(key), high]
      : [low, operator === '$lte' ? after(key) : key];
  return found[0] < found[1] ? [found] : [];
}

/** All strings that begin with a prefix, and all regular expressions, since a stored one may equal the pattern. */
export function prefixed(prefix: string): Interval[] {
  const key = `${ranks.string}${text(prefix).slice(0, -end.length)}`;
  return [
    [key, after(key)],
    [ranks.regex, after(ranks.regex)],
  ];
}

/** The keys that lie in both sets of intervals. */
export function intersect(a: readonly Interval[], b: readonly Interval[]): Interval[] {
  const common = a.flatMap(([low, high]) =>
    b.map(([from, to]): Interval => [[low, from].toSorted()[1] as string, [high, to].toSorted()[0] as string]),
  );
  return common.filter(([low, high]) => low < high);
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}

function text(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all ASCII but NUL
  if (/^[\x01-\x7f]*$/.test(value)) return value + end;
  return Buffer.from(value).toString('latin1').replaceAll('\0', '\0\x02') + end;
}

/** Eight bytes that compare as the numbers do. */
function double(n: number): string {
  scratch.writeDoubleBE(n === 0 ? 0 : n);
  const negative = (scratch[0] as number) >= 128;
  for (let i = 0; i < (negative ? 8 : 1); i++) scratch[i] = (scratch[i] as number) ^ (negative ? 255 : 128);
  return scratch.toString('latin1');
}

/** The key of a long: that of the nearest double, and what is left, which counts when the doubles are equal. */
function long(value: Long): string {
  const n = value.toNumber();
  const rest = Number(value.toBigInt() - BigInt(n));
  return rest === 0 ? keyOf(n) : `${ranks.number}${double(n)}${rest < 0 ? '\x01' : '\x03'}${double(rest)}\x01`;
}
