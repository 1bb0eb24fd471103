import { Decimal128, Double, Int32, Long } from 'bson';
import { CommandError } from './errors.ts';
import { decimalParts, rank } from './order.ts';
import { bsonTag, exactNumber, numberOf } from './values.ts';

const int64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };

/**
 * Adds or multiplies two numbers in exact form as MongoDB does: the result has the wider of the two types, and an int
 * that overflows becomes a long.
 * @throws CommandError TypeMismatch when one is no number, BadValue when a long overflows
 */
export function arithmetic(verb: '$inc' | '$mul', a: unknown, b: unknown, path: string): unknown {
  for (const value of [a, b]) {
    if (rank(value) !== 10) {
      const verbs = { $inc: 'increment', $mul: 'multiply' };
      throw new CommandError('TypeMismatch', `Cannot ${verbs[verb]} '${path}' with or to a value of non-numeric type`);
    }
  }
  const [x, y] = [exact(a), exact(b)];
  if (x instanceof Decimal128 || y instanceof Decimal128) return decimal(verb, x, y);
  if (x instanceof Double || y instanceof Double) {
    return new Double(verb === '$inc' ? numberOf(x) + numberOf(y) : numberOf(x) * numberOf(y));
  }
  const result = verb === '$inc' ? bigOf(x) + bigOf(y) : bigOf(x) * bigOf(y);
  if (x instanceof Int32 && y instanceof Int32 && result === BigInt.asIntN(32, result))
    return new Int32(Number(result));
  if (result < int64.min || result > int64.max) {
    throw new CommandError(
      'BadValue',
      `Failed to apply ${verb} operations to current value of '${path}': integer overflow`,
    );
  }
  return Long.fromBigInt(result);
}

/** `and`, `or` or `xor` of two integers in exact form. @throws CommandError BadValue when one is no integer */
export function bitwise(verb: string, a: unknown, b: unknown): unknown {
  const [x, y] = [exact(a), exact(b)];
  if (!(x instanceof Int32 || x instanceof Long) || !(y instanceof Int32 || y instanceof Long)) {
    throw new CommandError('BadValue', 'Cannot apply $bit to a value of non-integral type');
  }
  const [p, q] = [bigOf(x), bigOf(y)];
  const result = verb === 'and' ? p & q : verb === 'or' ? p | q : p ^ q;
  return x instanceof Int32 && y instanceof Int32 ? new Int32(Number(result)) : Long.fromBigInt(result);
}

function exact(value: unknown): unknown {
  return typeof value === 'number' ? exactNumber(value) : value;
}

function bigOf(value: unknown): bigint {
  return bsonTag(value) === 'Long' ? (value as Long).toBigInt() : BigInt(numberOf(value));
}

/** A finite number as digits and exponent; a double as its shortest decimal text. */
function decimal(verb: '$inc' | '$mul', a: unknown, b: unknown): Decimal128 {
  const text = (value: unknown) =>
    bsonTag(value) === 'Long' ? String(value) : String((value as { value?: number }).value ?? value);
  const [x, y] = [decimalParts(text(a)), decimalParts(text(b))];
  if (verb === '$mul') return Decimal128.fromStringWithRounding(`${x.digits * y.digits}E${x.exponent + y.exponent}`);
  const exponent = Math.min(x.exponent, y.exponent);
  const scaled = ({ digits, exponent: own }: typeof x) => digits * 10n ** BigInt(own - exponent);
  return Decimal128.fromStringWithRounding(`${scaled(x) + scaled(y)}E${exponent}`);
}
