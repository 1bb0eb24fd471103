import { Query } from 'mingo/query';
import { CommandError, notImplemented } from './errors.ts';
import { checkExpression, context } from './expressions.ts';
import { needsExactTypes, queryOperators } from './filter-operators.ts';
import { type Doc, isDoc, numberOf, toRegExp } from './values.ts';

/** A filter, checked and compiled once. */
export interface Filter {
  /** The filter with every condition written as `{ field: { $operator: operand } }`. */
  readonly normal: Doc;
  /** True when `test` wants documents in their exact form, because the filter asks for a certain type of number. */
  readonly exact: boolean;
  /** True when the document matches. */
  test(doc: Doc): boolean;
}

const absent = new Set(['$where', '$text', '$jsonSchema', '$near', '$nearSphere', '$geoWithin', '$geoIntersects']);

/**
 * Checks a filter (in plain form) and compiles it.
 * @param variables what `$expr` knows as `$$name`
 * @throws CommandError BadValue for an unknown operator or a wrong operand, NotImplemented for what is absent here
 */
export function compileFilter(filter: unknown, variables: Doc = {}): Filter {
  const found = { exact: false, plain: false };
  const normal = normalize(filter ?? {}, found);
  if (found.exact && found.plain) notImplemented('$type of a certain number type together with $expr');
  const query = new Query(normal, { context, variables, scriptEnabled: false });
  return { normal, exact: found.exact, test: (doc) => query.test(doc) };
}

type Found = { exact: boolean; plain: boolean };

function normalize(filter: unknown, found: Found): Doc {
  if (!isDoc(filter)) throw new CommandError('TypeMismatch', 'a filter must be an object');
  const conditions: Doc = {};
  for (const [key, value] of Object.entries(filter)) {
    if (key === '$and' || key === '$or' || key === '$nor') {
      if (!Array.isArray(value) || value.length === 0) {
        throw new CommandError('BadValue', `${key} must be a nonempty array`);
      }
      conditions[key] = value.map((part) => normalize(part, found));
    } else if (key === '$expr') {
      checkExpression(value);
      found.plain = true;
      conditions[key] = value;
    } else if (key === '$comment') {
      // Only for people who read logs.
    } else if (absent.has(key)) notImplemented(key);
    else if (key.startsWith('$')) throw new CommandError('BadValue', `unknown top level operator: ${key}`);
    else conditions[key] = normalizeCondition(value, found);
  }
  return conditions;
}

function normalizeCondition(value: unknown, found: Found): Doc {
  if (value instanceof RegExp || (isDoc(value) && Object.hasOwn(value, '$regex'))) {
    return isDoc(value) ? normalizeOperators(value, found) : { $regex: value };
  }
  if (!isDoc(value)) return isRegex(value) ? { $regex: toRegExp(value) } : { $eq: value };
  return Object.keys(value)[0]?.startsWith('$') ? normalizeOperators(value, found) : { $eq: value };
}

function isRegex(value: unknown): boolean {
  return value instanceof RegExp || (value as { _bsontype?: string } | null)?._bsontype === 'BSONRegExp';
}

function normalizeOperators(condition: Doc, found: Found): Doc {
  const normal: Doc = {};
  for (const [name, operand] of Object.entries(condition)) {
    if (name === '$comment') continue;
    if (name === '$options') {
      if (!Object.hasOwn(condition, '$regex')) throw new CommandError('BadValue', '$options needs a $regex');
      continue;
    }
    if (absent.has(name)) notImplemented(name);
    if (!Object.hasOwn(queryOperators, name)) {
      throw new CommandError('BadValue', `unknown operator: ${name}`);
    }
    normal[name] = normalizeOperand(name, operand, condition, found);
  }
  return normal;
}

function normalizeOperand(name: string, operand: unknown, condition: Doc, found: Found): unknown {
  switch (name) {
    case '$in':
    case '$nin':
    case '$all':
      if (!Array.isArray(operand)) throw new CommandError('BadValue', `${name} needs an array`);
      return operand.map((value) => {
        if (isRegex(value)) return toRegExp(value);
        const nested = isDoc(value) ? Object.keys(value)[0] : undefined;
        if (name === '$all' && nested === '$elemMatch') return normalizeOperators(value as Doc, found);
        if (nested?.startsWith('$')) throw new CommandError('BadValue', `cannot nest $ under ${name}`);
        return value;
      });
    case '$regex':
      return toRegExp(operand, typeof condition.$options === 'string' ? condition.$options : '');
    case '$ne':
    case '$eq':
      if (isRegex(operand) && name === '$ne') throw new CommandError('BadValue', "Can't have regex as arg to $ne.");
      return operand;
    case '$exists':
      return typeof operand === 'boolean'
        ? operand
        : operand !== null && operand !== undefined && numberOf(operand) !== 0;
    case '$size': {
      const size = numberOf(operand);
      if (!Number.isInteger(size) || size < 0) {
        throw new CommandError(
          'BadValue',
          `Failed to parse $size. Expected a non-negative integer: ${String(operand)}`,
        );
      }
      return size;
    }
    case '$type':
      found.exact ||= needsExactTypes(operand);
      return operand;
    case '$not':
      if (isRegex(operand)) return { $regex: toRegExp(operand) };
      if (!isDoc(operand) || !Object.keys(operand)[0]?.startsWith('$')) {
        throw new CommandError('BadValue', '$not needs a regex or a document');
      }
      return normalizeOperators(operand, found);
    case '$elemMatch': {
      if (!isDoc(operand)) throw new CommandError('BadValue', '$elemMatch needs an Object');
      const first = Object.keys(operand)[0];
      const logical = first === '$and' || first === '$or' || first === '$nor' || first === '$expr';
      return first?.startsWith('$') && !logical ? normalizeOperators(operand, found) : normalize(operand, found);
    }
    default:
      return operand;
  }
}
