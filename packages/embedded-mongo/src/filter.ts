import { CommandError, notImplemented } from './errors.ts';
import { compileExpression } from './expressions.ts';
import { type Interval, intersect, isPoint, keyOf, ordered, point, prefixed } from './keys.ts';
import { reaches } from './paths.ts';
import { bsonTag, type Doc, isDoc, isOperators, numberOf, toPlain, toRegExp, typeName, typeNames } from './values.ts';

/** What every match of a filter fulfils at a path: its value, or an element of its array, has this property. */
export interface Condition {
  readonly path: string;
  readonly operator: string;
  readonly operand: unknown;
  /** Where the keys of such values lie, in order; undefined when the operator says nothing that an index could use. */
  readonly intervals: readonly Interval[] | undefined;
  /** True for a part of a condition, such as one within `$elemMatch`. */
  readonly nested: boolean;
}

/** A filter, checked and compiled once. */
export interface Filter {
  readonly source: Doc;
  readonly conditions: readonly Condition[];
  /** True when the document matches. */
  test(doc: Doc): boolean;
}

type Test = (value: unknown) => boolean;
/** Tests the value of a subject: of a document that at a path, of an array's element itself. */
type Probe = (subject: unknown, test: Test, expand: boolean) => boolean;
type Note = (operator: string, operand: unknown, intervals?: readonly Interval[], nested?: boolean) => void;

interface Operator {
  readonly test: Test;
  /** Whether the elements of an array count as values too. */
  readonly expand?: boolean;
  readonly intervals?: readonly Interval[] | undefined;
}

const absent = new Set(
  (
    '$where $text $jsonSchema $near $nearSphere $geoWithin $geoIntersects $bitsAllSet $bitsAnySet $bitsAllClear ' +
    '$bitsAnyClear'
  ).split(' '),
);

const bad = (message: string) => new CommandError('BadValue', message);
const isRegex = (value: unknown) => bsonTag(value) === 'BSONRegExp';

/**
 * Checks a filter and compiles it.
 * @param variables what `$expr` knows as `$$name`
 * @throws CommandError BadValue for an unknown operator or a wrong operand, NotImplemented for what is absent here
 */
export function compileFilter(filter: unknown, variables: Doc = {}): Filter {
  const conditions: Condition[] = [];
  const test = compile(filter ?? {}, variables, conditions, '');
  return { source: (filter ?? {}) as Doc, conditions, test };
}

function compile(filter: unknown, variables: Doc, found: Condition[] | undefined, prefix: string): Test {
  if (!isDoc(filter)) throw new CommandError('TypeMismatch', 'a filter must be an object');
  const tests = Object.entries(filter).map(([key, value]): Test => {
    if (key === '$and' || key === '$or' || key === '$nor') {
      if (!Array.isArray(value) || value.length === 0) throw bad(`${key} must be a nonempty array`);
      const certain = key === '$and' || (key === '$or' && value.length === 1);
      const parts = value.map((part) => compile(part, variables, certain ? found : undefined, prefix));
      if (key === '$and') return (doc) => parts.every((part) => part(doc));
      return (doc) => parts.some((part) => part(doc)) === (key === '$or');
    }
    if (key === '$expr') {
      const compute = compileExpression(value, variables);
      return (doc) => ![false, null, undefined, 0].includes(compute(toPlain(doc)) as null);
    }
    if (key === '$comment') return () => true;
    if (absent.has(key)) notImplemented(key);
    if (key.startsWith('$')) throw bad(`unknown top level operator: ${key}`);
    const path = key.split('.');
    const note: Note = (operator, operand, intervals, nested = prefix !== '') =>
      found?.push({ path: prefix + key, operator, operand, intervals, nested });
    const nest = (inner: unknown) => compile(inner, variables, found, `${prefix}${key}.`);
    return compileCondition(value, (doc, test, expand) => reaches(doc, path, test, expand), note, nest);
  });
  return (doc) => tests.every((test) => test(doc));
}

const unnoted: Note = () => undefined;

function compileCondition(condition: unknown, probe: Probe, note: Note, nest: (inner: unknown) => Test): Test {
  if (isRegex(condition)) return compileCondition({ $regex: condition }, probe, note, nest);
  if (!isOperators(condition)) return compileCondition({ $eq: condition }, probe, note, nest);
  const blind = (inner: unknown) =>
    compileCondition(inner, probe, unnoted, (filter) => compile(filter, {}, undefined, ''));
  const tests = Object.entries(condition).map(([name, operand]): Test => {
    switch (name) {
      case '$comment':
        return () => true;
      case '$options':
        if (!Object.hasOwn(condition, '$regex')) throw bad('$options needs a $regex');
        return () => true;
      case '$ne':
      case '$nin': {
        if (isRegex(operand)) throw bad("Can't have regex as arg to $ne.");
        const positive = blind({ [name === '$ne' ? '$eq' : '$in']: operand });
        return (subject) => !positive(subject);
      }
      case '$exists': {
        const wanted = operand !== false && operand !== null && numberOf(operand) !== 0;
        note(name, wanted);
        return (subject) => probe(subject, (value) => value !== undefined, false) === wanted;
      }
      case '$not': {
        if (!isRegex(operand) && !isOperators(operand)) throw bad('$not needs a regex or a document');
        const positive = blind(operand);
        return (subject) => !positive(subject);
      }
      case '$all': {
        const list = listOf(name, operand);
        const single: Note = (...args) => note(args[0], args[1], args[2], list.length > 1 || undefined);
        const parts = list.map((value) => {
          const whole = isRegex(value) || (isDoc(value) && Object.hasOwn(value, '$elemMatch'));
          if (!whole && isOperators(value)) throw bad('cannot nest $ under $all');
          return compileCondition(whole ? value : { $eq: value }, probe, single, nest);
        });
        return (subject) => parts.length > 0 && parts.every((part) => part(subject));
      }
      case '$elemMatch': {
        // One and the same element is meant by all parts, so together they bound a scan of an index more closely.
        const parts: Parameters<Note>[] = [];
        const test = elementTest(operand, (...part) => parts.push(part), nest);
        const bounds = parts.flatMap(([, , intervals]) => (intervals ? [intervals] : []));
        note(name, operand, bounds.length > 1 ? bounds.reduce(intersect) : undefined);
        for (const part of parts) note(...part);
        return (subject) => probe(subject, (value) => Array.isArray(value) && value.some(test), false);
      }
    }
    const make = Object.hasOwn(operators, name) ? operators[name] : undefined;
    if (absent.has(name)) notImplemented(name);
    if (!make) throw bad(`unknown operator: ${name}`);
    const { test, expand = true, intervals } = make(operand, condition);
    note(name, operand, intervals);
    return (subject) => probe(subject, test, expand);
  });
  return (subject) => tests.every((test) => test(subject));
}

function elementTest(operand: unknown, note: Note, nest: (inner: unknown) => Test): Test {
  if (!isDoc(operand)) throw bad('$elemMatch needs an Object');
  const ofDocs = !isOperators(operand) || /^\$(and|or|nor|expr)$/.test(Object.keys(operand)[0] ?? '');
  if (!ofDocs) {
    const part: Note = (...args) => note(args[0], args[1], args[2], true);
    return compileCondition(operand, (value, test) => test(value), part, nest);
  }
  const test = nest(operand);
  return (value) => isDoc(value) && test(value);
}

function listOf(name: string, operand: unknown): unknown[] {
  if (!Array.isArray(operand)) throw bad(`${name} needs an array`);
  return operand;
}

/** A test whether the key of a value lies in one of the intervals. An index holds elements instead of whole arrays. */
function comparison(intervals: readonly Interval[], operand: unknown): Operator {
  const test = (value: unknown) => {
    const key = keyOf(value ?? null);
    return intervals.some(([low, high]) => low <= key && key < high);
  };
  const crossesTypes = Array.isArray(operand) || /^M..Key$/.test(bsonTag(operand) ?? '');
  return { test, intervals: crossesTypes ? undefined : intervals };
}

function matching(pattern: RegExp): Test {
  return (value) =>
    typeof value === 'string' ? pattern.test(value) : isRegex(value) && keyOf(value) === keyOf(pattern);
}

const operators: Record<string, (operand: unknown, condition: Doc) => Operator> = {
  $eq: (operand) => {
    const found = comparison([point(operand ?? null)], operand);
    return typeof operand === 'string' ? { ...found, test: (value) => value === operand } : found;
  },
  $in: (operand) => {
    const values = listOf('$in', operand);
    if (values.some(isOperators)) throw bad('cannot nest $ under $in');
    const patterns = values.filter(isRegex).map((pattern) => matching(toRegExp(pattern)));
    const keys = new Set(values.filter((value) => !isRegex(value)).map((value) => keyOf(value ?? null)));
    const bounded = patterns.length === 0 && !values.some(Array.isArray);
    return {
      test: (value) => keys.has(keyOf(value ?? null)) || patterns.some((test) => test(value)),
      intervals: bounded ? [...new Map(values.map((value) => point(value ?? null))).entries()].sort() : undefined,
    };
  },
  $gt: (operand) => comparison(ordered('$gt', operand), operand),
  $gte: (operand) => comparison(ordered('$gte', operand), operand),
  $lt: (operand) => comparison(ordered('$lt', operand), operand),
  $lte: (operand) => comparison(ordered('$lte', operand), operand),
  $type: (operand) => {
    const wanted = new Set(
      (Array.isArray(operand) ? operand : [operand]).flatMap((type) => {
        const name = typeof type === 'string' ? type : typeNames.get(numberOf(type));
        if (name === 'number') return ['int', 'long', 'double', 'decimal'];
        if (name === undefined || ![...typeNames.values()].includes(name))
          throw bad(`Unknown type name alias: ${String(type)}`);
        return [name];
      }),
    );
    return { test: (value) => value !== undefined && wanted.has(typeName(value)) };
  },
  $mod: (operand) => {
    const [divisor, remainder, ...rest] = listOf('$mod', operand).map((n) => Math.trunc(numberOf(n)));
    if (!divisor || !Number.isInteger(remainder) || rest.length > 0)
      throw bad('malformed mod, needs to be [divisor, remainder]');
    return {
      test: (value) => {
        const n = Math.trunc(numberOf(value));
        if (typeof value === 'object' && Math.abs(n) > Number.MAX_SAFE_INTEGER)
          notImplemented('$mod of such a large number');
        return n % divisor === remainder;
      },
    };
  },
  $regex: (operand, { $options }) => {
    const pattern = toRegExp(operand, typeof $options === 'string' ? $options : '');
    const prefix = prefixOf(pattern);
    return { test: matching(pattern), intervals: prefix ? prefixed(prefix) : undefined };
  },
  $size: (operand) => {
    const size = numberOf(operand);
    if (!Number.isInteger(size) || size < 0) throw bad(`$size needs a non-negative integer, not ${String(operand)}`);
    return { test: (value) => Array.isArray(value) && value.length === size, expand: false };
  },
};

/** What a string has to begin with to match a pattern such as /^abc/; empty when that is not plain to see. */
function prefixOf(pattern: RegExp): string {
  if (/[ims]/.test(pattern.flags) || !pattern.source.startsWith('^') || pattern.source.includes('|')) return '';
  let prefix = '';
  let rest = pattern.source.slice(1);
  for (;;) {
    const match = /^(?:[^\\^$.*+?()[\]{}|]|\\[^a-zA-Z0-9])/.exec(rest);
    if (!match) return prefix;
    rest = rest.slice(match[0].length);
    if (/^[*?{]/.test(rest)) return prefix;
    prefix += match[0].at(-1);
  }
}

/** True when a condition holds only for documents in which the path exists. */
export function impliesPresence({ operator, operand, intervals }: Condition): boolean {
  if (operator === '$exists') return operand === true;
  if (operator === '$elemMatch' || operator === '$type') return true;
  const nothing = keyOf(null);
  return intervals?.every(([low, high]) => nothing < low || nothing >= high) ?? false;
}

/** True when all intervals are single values. */
export function arePoints(intervals: readonly Interval[]): boolean {
  return intervals.every(isPoint);
}
