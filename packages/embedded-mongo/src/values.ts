import { Binary, BSONRegExp, Double, deserialize, type Int32, Long, serialize } from 'bson';
import { CommandError } from './errors.ts';

/** A document or part of one, as a JavaScript object. */
export type Doc = Record<string, unknown>;

/** The most bytes that one stored document may have. */
export const maxDocumentBytes = 16 * 1024 * 1024;

/**
 * Reads BSON. Numbers become JavaScript numbers where writing them again gives the same type; the others (a Double with
 * a whole value, every Long and Decimal128) stay objects of the bson library. So what an update does not touch is
 * written back byte for byte the same.
 */
export function read(bytes: Uint8Array, raw?: Record<string, boolean>): Doc {
  return unboxed(
    deserialize(bytes, { promoteValues: false, bsonRegExp: true, ...(raw && { fieldsAsRaw: raw }) }),
  ) as Doc;
}

/** Writes a document as BSON. @throws CommandError BSONObjectTooLarge above 16 MiB */
export function write(doc: Doc): Uint8Array {
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

/** True for an embedded document (not an array, a date, bytes or an object of the bson library). */
export function isDoc(value: unknown): value is Doc {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  if (value instanceof Date || value instanceof RegExp || ArrayBuffer.isView(value)) return false;
  return bsonTag(value) === undefined;
}

/** True for a document whose first field is an operator. */
export function isOperators(value: unknown): value is Doc {
  return isDoc(value) && Object.keys(value)[0]?.startsWith('$') === true;
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

function transform(value: unknown, leaf: (value: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map((element) => transform(element ?? null, leaf));
  if (!isDoc(value)) return leaf(value);
  const out: Doc = {};
  // What is undefined is not written either, and null in an array.
  for (const key of Object.keys(value)) if (value[key] !== undefined) setField(out, key, transform(value[key], leaf));
  return out;
}

/** What was just read, with its numbers unboxed in place. */
function unboxed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { _bsontype: tag } = value as { _bsontype?: string };
  if (tag === 'Int32') return (value as Int32).value;
  if (tag === 'Double') {
    const n = (value as Double).value;
    return isInt(n) ? value : n;
  }
  if (Array.isArray(value)) {
    for (const [i, element] of value.entries()) value[i] = unboxed(element);
  } else if (isDoc(value)) {
    for (const key of Object.keys(value)) value[key] = unboxed(value[key]);
  }
  return value;
}

/** True for a number that is written as a 32-bit integer. */
export function isInt(n: number): boolean {
  return n === (n | 0) && !Object.is(n, -0);
}

/** A copy with JavaScript numbers wherever they hold the value, as expressions want it. */
export function toPlain(value: unknown): unknown {
  return transform(value, (leaf) => {
    const n = leaf instanceof Double || leaf instanceof Long ? numberOf(leaf) : Number.NaN;
    return leaf instanceof Double || Number.isSafeInteger(n) ? n : leaf;
  });
}

/** A copy that shares nothing changeable with the value. */
export function cloneValue(value: unknown): unknown {
  return transform(value, (leaf) => leaf);
}

/** The JavaScript number nearest to a value; NaN when it is no number. */
export function numberOf(value: unknown): number {
  if (typeof value === 'number') return value;
  return ['Int32', 'Double', 'Long', 'Decimal128'].includes(bsonTag(value) ?? '') ? Number(String(value)) : Number.NaN;
}

const types =
  'double string object array binData undefined objectId bool date null regex dbPointer javascript symbol ' +
  'javascriptWithScope int timestamp long decimal';

/** MongoDB's names of BSON types, as `$type` takes them, by their numbers. */
export const typeNames = new Map<number, string>([
  [-1, 'minKey'],
  [127, 'maxKey'],
  ...types.split(' ').map((name, i): [number, string] => [i + 1, name]),
]);
const knownTypes = new Set(typeNames.values());
const tagTypes: Record<string, string> = { Decimal128: 'decimal', BSONRegExp: 'regex', Code: 'javascript' };

/** The BSON type name of a value. */
export function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'number') return isInt(value) ? 'int' : 'double';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value !== 'object') return typeof value;
  if (Array.isArray(value)) return 'array';
  if (value instanceof Date) return 'date';
  if (value instanceof Binary) return 'binData';
  const tag = bsonTag(value) ?? 'object';
  const name = tagTypes[tag] ?? `${tag.charAt(0).toLowerCase()}${tag.slice(1)}`;
  return knownTypes.has(name) ? name : 'object';
}

/**
 * A JavaScript regular expression of the same meaning.
 * @throws CommandError Location51091 when JavaScript cannot express it
 */
export function toRegExp(pattern: unknown, options = ''): RegExp {
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
