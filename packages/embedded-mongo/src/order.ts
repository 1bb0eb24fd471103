import type { Binary, BSONRegExp, Decimal128, Long, ObjectId, Timestamp } from 'bson';
import { bsonTag, type Doc } from './values.ts';

/** An edge between BSON types, for index bounds: `new Edge(10.5)` comes after all numbers and before all strings. */
export class Edge {
  readonly rank: number;
  constructor(rank: number) {
    this.rank = rank;
  }
}

const tagRanks: Record<string, number> = {
  MinKey: -1,
  Int32: 10,
  Double: 10,
  Long: 10,
  Decimal128: 10,
  BSONSymbol: 15,
  Binary: 30,
  ObjectId: 35,
  Timestamp: 47,
  BSONRegExp: 50,
  DBRef: 55,
  Code: 60,
  MaxKey: 127,
};

/** Where the type of a value stands in MongoDB's order of types; undefined stands for an empty array in an index. */
export function rank(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return 15;
    case 'number':
      return 10;
    case 'boolean':
      return 40;
    case 'undefined':
      return 0;
  }
  if (value === null) return 5;
  if (Array.isArray(value)) return 25;
  if (value instanceof Date) return 45;
  if (value instanceof RegExp) return 50;
  if (value instanceof Edge) return value.rank;
  const tag = bsonTag(value);
  return tag === undefined ? 20 : (tagRanks[tag] ?? 20);
}

/**
 * MongoDB's total order over BSON values of any types, exact and plain forms alike: negative, 0 or positive.
 * Strings compare by UTF-16 unit, which differs from MongoDB only between U+E000..U+FFFF and characters above U+FFFF.
 */
export function compare(a: unknown, b: unknown): number {
  if (typeof a === 'string' && typeof b === 'string') return a === b ? 0 : a < b ? -1 : 1;
  if (a === b) return 0;
  const rankA = rank(a);
  const byRank = rankA - rank(b);
  if (byRank !== 0) return byRank;
  switch (rankA) {
    case 10:
      return compareNumbers(a, b);
    case 15:
      return simple(String(a), String(b));
    case 20:
      return compareDocs(a as Doc, b as Doc);
    case 25:
      return compareArrays(a as unknown[], b as unknown[]);
    case 30:
      return compareBinaries(a as Binary, b as Binary);
    case 35:
      return Buffer.compare((a as ObjectId).id, (b as ObjectId).id);
    case 40:
      return Number(a) - Number(b);
    case 45:
      return (a as Date).getTime() - (b as Date).getTime();
    case 47:
      return (a as Timestamp).compare(b as Timestamp);
    case 50:
      return simple(regexText(a), regexText(b));
    case 55:
    case 60:
      return simple(JSON.stringify(a), JSON.stringify(b));
    default:
      return 0;
  }
}

/** True when MongoDB holds the two values for equal: 1 equals 1.0, but the order of fields counts. */
export function equals(a: unknown, b: unknown): boolean {
  return a === b || compare(a, b) === 0;
}

/** A string that two values share exactly when they are equal: a key for grouping. */
export function keyOf(value: unknown): string {
  const type = rank(value);
  switch (type) {
    case 10:
      return `n${numberKey(value)}`;
    case 20:
      return `{${Object.entries(value as Doc).map(([k, v]) => `${JSON.stringify(k)}:${keyOf(v)}`)}}`;
    case 25:
      return `[${(value as unknown[]).map(keyOf)}]`;
    case 30:
      return `b${(value as Binary).sub_type}:${Buffer.from((value as Binary).value()).toString('base64')}`;
    case 35:
      return `o${(value as ObjectId).toHexString()}`;
    case 45:
      return `d${(value as Date).getTime()}`;
    case 50:
      return `r${regexText(value)}`;
    default:
      return `${type}${JSON.stringify(value) ?? ''}`;
  }
}

function simple(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function regexText(value: unknown): string {
  if (value instanceof RegExp) return `${value.source}\0${[...value.flags].filter((f) => 'ims'.includes(f)).join('')}`;
  const { pattern, options } = value as BSONRegExp;
  return `${pattern}\0${options}`;
}

function compareDocs(a: Doc, b: Doc): number {
  const keysA = Object.keys(a);
  const keysB = Object.keys(b);
  const shared = Math.min(keysA.length, keysB.length);
  for (let i = 0; i < shared; i++) {
    const keyA = keysA[i] as string;
    const keyB = keysB[i] as string;
    const order = rank(a[keyA]) - rank(b[keyB]) || simple(keyA, keyB) || compare(a[keyA], b[keyB]);
    if (order !== 0) return order;
  }
  return keysA.length - keysB.length;
}

function compareArrays(a: unknown[], b: unknown[]): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const order = compare(a[i], b[i]);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareBinaries(a: Binary, b: Binary): number {
  return a.length() - b.length() || a.sub_type - b.sub_type || Buffer.compare(a.value(), b.value());
}

function unbox(value: unknown): number | Long | Decimal128 {
  if (typeof value === 'number') return value;
  const tag = bsonTag(value);
  if (tag === 'Int32' || tag === 'Double') return (value as { value: number }).value;
  return value as Long | Decimal128;
}

function compareNumbers(left: unknown, right: unknown): number {
  const a = unbox(left);
  const b = unbox(right);
  const x = typeof a === 'number' ? a : Number(a.toString());
  const y = typeof b === 'number' ? b : Number(b.toString());
  if (x < y) return -1;
  if (x > y) return 1;
  if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(y)) - Number(Number.isNaN(x));
  if ((typeof a === 'number' && typeof b === 'number') || !Number.isFinite(x)) return 0;
  const [p, q] = ratio(a);
  const [r, s] = ratio(b);
  return p * s < r * q ? -1 : p * s > r * q ? 1 : 0;
}

/** The number as an exact fraction. */
function ratio(value: number | Long | Decimal128): [bigint, bigint] {
  if (typeof value === 'number') {
    let n = value;
    let denominator = 1n;
    while (!Number.isInteger(n)) {
      n *= 2;
      denominator *= 2n;
    }
    return [BigInt(n), denominator];
  }
  const { digits, exponent } = decimalParts(value.toString());
  return exponent >= 0 ? [digits * 10n ** BigInt(exponent), 1n] : [digits, 10n ** BigInt(-exponent)];
}

/** A finite decimal text as `digits * 10 ** exponent`. @throws RangeError when it is no finite number */
export function decimalParts(text: string): { digits: bigint; exponent: number } {
  const match = /^([+-]?)(\d*)\.?(\d*)(?:E([+-]?\d+))?$/i.exec(text);
  if (!match) throw new RangeError(`${text} is not a finite number`);
  const [, sign, whole = '', fraction = '', power = '0'] = match;
  return {
    digits: BigInt(`${whole}${fraction}`) * (sign === '-' ? -1n : 1n),
    exponent: Number(power) - fraction.length,
  };
}

function numberKey(value: unknown): string {
  const n = unbox(value);
  if (typeof n === 'number') return String(n === 0 ? 0 : n);
  const near = Number(n.toString());
  return compareNumbers(near, n) === 0 ? String(near === 0 ? 0 : near) : ratio(n).join('/');
}
