import { ObjectId } from 'bson';
import type { Stored } from './collection.ts';
import { CommandError } from './errors.ts';
import { changedFields } from './fields.ts';
import type { Filter } from './filter.ts';
import { equals } from './keys.ts';
import { compilePipeline, type Surroundings } from './stages.ts';
import { updateOperators } from './update-operators.ts';
import { compileArrayFilters, expandPath, placeOf, put } from './update-path.ts';
import {
  bsonTag,
  cloneValue,
  type Doc,
  field,
  isDoc,
  isOperators,
  numberOf,
  setField,
  toPlain,
  write,
} from './values.ts';

/** An update, checked once. */
export interface Update {
  /** True when it puts a whole document in the other's place. */
  readonly replaces: boolean;
  /**
   * The top-level fields that it may change; then the changed copy is just what is read from its BSON. Undefined when it may change
   * any, and leave fields that are undefined and not written.
   */
  readonly roots: ReadonlySet<string> | undefined;
  /** The changed copy of a document. @throws CommandError when the update does not fit the document */
  apply(doc: Doc, inserting: boolean): Doc;
}

interface Step {
  readonly name: string;
  readonly path: string;
  /** The names of the path. */
  readonly parts: readonly string[];
  readonly operand: unknown;
}

const pipelineStages = new Set(['$addFields', '$set', '$project', '$unset', '$replaceRoot', '$replaceWith']);

/**
 * Checks an update: a replacement, operators, or a pipeline.
 * @param filter the filter that chooses the documents, for the positional operator
 * @throws CommandError FailedToParse for an unknown modifier, ConflictingUpdateOperators for paths in each other's way
 */
export function compileUpdate(update: unknown, filter: Filter, arrayFilters: unknown, around: Surroundings): Update {
  if (Array.isArray(update)) return pipelineUpdate(update, around);
  if (!isDoc(update)) throw new CommandError('FailedToParse', 'an update must be a document or a pipeline');
  if (!isOperators(update)) return replacement(update);
  const steps = stepsOf(update);
  const paths = steps.map(({ path }) => path);
  const touched = [...paths, ...steps.flatMap(({ name, operand }) => (name === '$rename' ? [String(operand)] : []))];
  checkConflicts(touched);
  const filters = compileArrayFilters(arrayFilters, paths);
  const roots = new Set(touched.map((path) => path.split('.')[0] as string));
  return {
    replaces: false,
    roots,
    apply(doc, inserting) {
      const out = { ...doc };
      // The rest is shared with the document, and stays as it is.
      for (const root of roots) if (Object.hasOwn(out, root)) setField(out, root, cloneValue(out[root]));
      const positions = { arrayFilters: filters, ...(!inserting && { filter }) };
      for (const { name, parts, operand } of steps) {
        if (name === '$setOnInsert' && !inserting) continue;
        const operate = updateOperators[name];
        for (const place of expandPath(out, parts, positions)) operate?.(out, place, cloneValue(operand));
      }
      return out;
    },
  };
}

/** The single changes in the order in which MongoDB makes them: by path, which is the order of the fields they add. */
function stepsOf(update: Doc): Step[] {
  const steps = Object.entries(update).flatMap(([name, fields]) => {
    if (!Object.hasOwn(updateOperators, name)) {
      const message = `Unknown modifier: ${name}. Expected a valid update modifier or pipeline-style update specified as an array`;
      throw new CommandError('FailedToParse', message);
    }
    if (!isDoc(fields)) throw new CommandError('FailedToParse', `Modifiers operate on fields, not so that of ${name}`);
    return Object.entries(fields).map(([path, operand]): Step => {
      checkPath(path);
      if (name === '$rename') checkPath(operand);
      return { name, path, parts: path.split('.'), operand };
    });
  });
  return steps.sort((a, b) => comparePaths(a.parts, b.parts));
}

function checkPath(path: unknown): void {
  if (typeof path !== 'string' || path.split('.').includes('')) {
    throw new CommandError('BadValue', `The update path '${String(path)}' contains an empty field name`);
  }
  if (path.startsWith('$')) refuseDollar(path);
}

function refuseDollar(name: string): never {
  throw new CommandError('DollarPrefixedFieldName', `The dollar ($) prefixed field '${name}' is not allowed here`);
}

function comparePaths(a: readonly string[], b: readonly string[]): number {
  const i = a.findIndex((part, at) => part !== b[at]);
  const [part, other] = [a[i], b[i]];
  if (part === undefined || other === undefined) return a.length - b.length;
  const byNumber = Number(part) - Number(other);
  return Number.isNaN(byNumber) ? (part < other ? -1 : 1) : byNumber;
}

/** None may be another one, nor lead through it. @throws CommandError ConflictingUpdateOperators */
function checkConflicts(paths: readonly string[]): void {
  const known = new Set<string>();
  for (const path of paths) {
    if (known.has(path)) throw conflict(path, path);
    known.add(path);
  }
  for (const path of paths) {
    for (let dot = path.indexOf('.'); dot !== -1; dot = path.indexOf('.', dot + 1)) {
      const above = path.slice(0, dot);
      if (known.has(above)) throw conflict(path, above);
    }
  }
}

function conflict(path: string, at: string): CommandError {
  const message = `Updating the path '${path}' would create a conflict at '${at}'`;
  return new CommandError('ConflictingUpdateOperators', message);
}

function replacement(update: Doc): Update {
  const dollar = Object.keys(update).find((key) => key.startsWith('$'));
  if (dollar) refuseDollar(dollar);
  return { replaces: true, roots: undefined, apply: (doc) => ({ _id: doc._id, ...update }) };
}

function pipelineUpdate(update: unknown[], around: Surroundings): Update {
  const run = compilePipeline(update, around, pipelineStages);
  return {
    replaces: false,
    roots: undefined,
    apply: (doc) => ({ _id: doc._id, ...(retype(run([toPlain(doc) as Doc])[0], doc) as Doc) }),
  };
}

/** Gives what a pipeline left alone its exact type back. */
function retype(value: unknown, exact: unknown): unknown {
  if (Array.isArray(value) && Array.isArray(exact)) return value.map((element, i) => retype(element, exact[i]));
  if (!isDoc(value) || !isDoc(exact))
    return numberOf(value) === numberOf(exact) && equals(value, exact) ? exact : value;
  const out: Doc = {};
  for (const key of Object.keys(value)) setField(out, key, retype(value[key], field(exact, key)));
  return out;
}

/** A version of a document that is to be stored. */
export interface Version {
  readonly bytes: Uint8Array;
  readonly doc: Doc;
}

/** The BSON of a document to store: with an `_id`, and that first. @throws CommandError InvalidIdField */
export function prepared(given: Doc): Version {
  const { _id = new ObjectId(), ...rest } = given;
  const wrong = Array.isArray(_id) ? 'array' : bsonTag(_id) === 'BSONRegExp' ? 'regex' : undefined;
  if (wrong) throw new CommandError('InvalidIdField', `The '_id' value cannot be of type ${wrong}`);
  const doc = Object.keys(given)[0] === '_id' && given._id !== undefined ? given : { _id, ...rest };
  return { bytes: write(doc), doc };
}

/** The new version of a document, and the top-level fields that may differ. */
export interface Change {
  readonly bytes: Uint8Array;
  /** Absent where it has to be read from the BSON. */
  readonly doc?: Doc;
  readonly fields: ReadonlySet<string>;
}

/** What an update makes of a document; undefined when it stays as it is. @throws CommandError ImmutableField when it had another `_id` */
export function changed(update: Update, before: Stored): Change | undefined {
  const { bytes, doc } = checked(update.apply(before.doc, false), before.doc._id);
  if (Buffer.compare(bytes, before.bytes) === 0) return undefined;
  const { roots } = update;
  if (!roots) return { bytes, fields: changedFields(before.bytes, bytes) };
  // What is no object is the same in BSON when it is the same here.
  return { bytes, doc, fields: new Set([...roots].filter((root) => before.doc[root] !== doc[root])) };
}

/** What an upsert inserts: the fields that the filter asks to equal a value, and then the update. */
export function upserted(update: Update, filter: Filter): Version {
  const base: Doc = {};
  for (const { path, operator, operand, nested } of filter.conditions) {
    if (nested || (update.replaces && path !== '_id')) continue;
    const values = operator === '$eq' ? [operand] : operator === '$in' && Array.isArray(operand) ? operand : [];
    const place = values.length === 1 && bsonTag(values[0]) !== 'BSONRegExp' && placeOf(base, path.split('.'), true);
    if (place) put(place, cloneValue(values[0]));
  }
  return checked(update.apply(base, true), base._id);
}

function checked(doc: Doc, id: unknown): Version {
  if (id !== undefined && !equals(doc._id ?? null, id)) {
    const message = `Performing an update on the path '_id' would modify the immutable field '_id'`;
    throw new CommandError('ImmutableField', message);
  }
  return prepared(doc);
}
