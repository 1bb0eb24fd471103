import { Binary, BSONRegExp, type Decimal128, Double, deserialize, Int32, Long, serialize } from 'bson';
import { CommandError } from './errors.ts';

/** A document or part of one, as a JavaScript object. */
export type Doc = Record<string, unknown>;

/** The most bytes that one stored document may have. */
export const maxDocumentBytes = 16 * 1024 * 1024;

/**
 * Reads BSON keeping every type that a client sent: numbers stay Int32, Double, Long or Decimal128 objects.
 * Updates work on this form, so what they do not touch is written back byte for byte the same.
 */
export function readExact(bytes: Uint8Array, raw?: Record<string, boolean>): Doc {
  return deserialize(bytes, { promoteValues: false, bsonRegExp: true, ...(raw && { fieldsAsRaw: raw }) });
}

/** Reads BSON with plain JavaScript numbers (a Long outside the safe range stays a Long): what filters work on. */
export function readPlain(bytes: Uint8Array): Doc {
  return deserialize(bytes, { promoteBuffers: false, bsonRegExp: true });
}

/** Writes a document as BSON. @throws CommandError BSONObjectTooLarge above 16 MiB */
export function write(doc: Doc): Uint8Array {
  const bytes = serialize(doc, { ignoreUndefined: false });
  assertDocumentSize(bytes);
  return bytes;
}

/** Writes what a pipeline made, in which undefined stands for a missing field. */
export function writeResult(doc: Doc): Uint8Array {
  const bytes = serialize(doc, { ignoreUndefined: true });
  assertDocumentSize(bytes);
  return bytes;
}

/** @throws CommandError BSONObjectTooLarge above 16 MiB */
export function assertDocumentSize(bytes: Uint8Array): void {
  if (bytes.length <= maxDocumentBytes) return;
  const message = `object to insert too large. size in bytes: ${bytes.length}, max size: ${maxDocumentBytes}`;
  throw new CommandError('BSONObjectTooLarge', message);
}

/** The BSON class name of a value that is an object of the bson library, else undefined. */
export function bsonTag(value: unknown): string | undefined {
  return typeof value === 'object' && value !== null ? (value as { _bsontype?: string })._bsontype : undefined;
}

/** True for an embedded document (not an array, a date or an object of the bson library). */
export function isDoc(value: unknown): value is Doc {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Date) &&
    !(value instanceof RegExp) &&
    (value as { _bsontype?: unknown })._bsontype === undefined
  );
}

/** The own property, or undefined: `constructor` and the like are not fields. */
export function field(doc: Doc, name: string): unknown {
  return Object.hasOwn(doc, name) ? doc[name] : undefined;
}

/** Sets an own property, also when it is named `__proto__`. */
export function setField(doc: Doc, name: string, value: unknown): void {
  if (name === '__proto__') {
    Object.defineProperty(doc, name, { value, writable: true, enumerable: true, configurable: true });
  } else doc[name] = value;
}

/** Turns the exact form of a value into the plain one. */
export function toPlain(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(toPlain);
  switch (bsonTag(value)) {
    case 'Int32':
    case 'Double':
      return (value as Int32 | Double).value;
    case 'Long': {
      const n = (value as Long).toNumber();
      return Number.isSafeInteger(n) ? n : value;
    }
    case undefined:
      break;
    default:
      return value;
  }
  if (!isDoc(value)) return value;
  const out: Doc = {};
  for (const key of Object.keys(value)) setField(out, key, toPlain(value[key]));
  return out;
}

/** A copy that shares nothing changeable with the value. */
export function cloneValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(cloneValue);
  if (!isDoc(value)) return value;
  const out: Doc = {};
  for (const key of Object.keys(value)) setField(out, key, cloneValue(value[key]));
  return out;
}

/** The JavaScript number of a command argument; NaN when it is none. */
export function numberOf(value: unknown): number {
  if (typeof value === 'number') return value;
  switch (bsonTag(value)) {
    case 'Int32':
    case 'Double':
      return (value as Int32 | Double).value;
    case 'Long':
      return (value as Long).toNumber();
    case 'Decimal128':
      return Number((value as Decimal128).toString());
    default:
      return Number.NaN;
  }
}

/** MongoDB's names of BSON types, as `$type` takes them, with their numbers. */
export const typeNumbers: Record<string, number> = {
  double: 1,
  string: 2,
  object: 3,
  array: 4,
  binData: 5,
  undefined: 6,
  objectId: 7,
  bool: 8,
  date: 9,
  null: 10,
  regex: 11,
  dbPointer: 12,
  javascript: 13,
  symbol: 14,
  javascriptWithScope: 15,
  int: 16,
  timestamp: 17,
  long: 18,
  decimal: 19,
  minKey: -1,
  maxKey: 127,
};

const tagTypes: Record<string, string> = {
  Int32: 'int',
  Double: 'double',
  Long: 'long',
  Decimal128: 'decimal',
  Binary: 'binData',
  ObjectId: 'objectId',
  BSONRegExp: 'regex',
  Timestamp: 'timestamp',
  MinKey: 'minKey',
  MaxKey: 'maxKey',
  BSONSymbol: 'symbol',
  DBRef: 'object',
};

/** The BSON type name of a value; a plain number is `number`, its exact type is not known any more. */
export function typeName(value: unknown): string {
  if (value === undefined) return 'undefined';
  if (value === null) return 'null';
  if (typeof value === 'number') return 'number';
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'bool';
  if (Array.isArray(value)) return 'array';
  if (value instanceof Date) return 'date';
  if (value instanceof RegExp) return 'regex';
  if (value instanceof Binary) return 'binData';
  const tag = bsonTag(value);
  if (tag === 'Code') return (value as { scope: unknown }).scope ? 'javascriptWithScope' : 'javascript';
  return tag === undefined ? 'object' : (tagTypes[tag] ?? 'object');
}

/**
 * A JavaScript regular expression of the same meaning.
 * @throws CommandError Location51091 when JavaScript cannot express it
 */
export function toRegExp(pattern: unknown, options = ''): RegExp {
  if (pattern instanceof RegExp) return options ? toRegExp(pattern.source, options) : pattern;
  if (pattern instanceof BSONRegExp) return toRegExp(pattern.pattern, options || pattern.options);
  if (typeof pattern !== 'string') throw new CommandError('BadValue', '$regex has to be a string');
  const inline = /^\(\?([ims]+)\)/.exec(pattern);
  const flags = new Set(options + (inline?.[1] ?? ''));
  flags.delete('u');
  for (const flag of flags) {
    if (!'ims'.includes(flag)) throw new CommandError('Location51091', `invalid flag in regex options: ${flag}`);
  }
  try {
    return new RegExp(inline ? pattern.slice(inline[0].length) : pattern, [...flags].join(''));
  } catch (error) {
    throw new CommandError('Location51091', `Regular expression is invalid: ${(error as Error).message}`);
  }
}

/** A number in the narrowest exact type that keeps its value: Int32, Long for larger integers, else Double. */
export function exactNumber(n: number): Int32 | Long | Double {
  if (!Number.isSafeInteger(n) || Object.is(n, -0)) return new Double(n);
  return n === (n | 0) ? new Int32(n) : Long.fromNumber(n);
}
