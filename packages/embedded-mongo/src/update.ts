import { CommandError } from './errors.ts';
import type { Filter } from './filter.ts';
import { equals, rank } from './order.ts';
import { aggregate, checkPipeline, type Surroundings } from './stages.ts';
import { updateOperators } from './update-operators.ts';
import { compileArrayFilters, expandPath, type Place, placeOf, put } from './update-path.ts';
import { cloneValue, type Doc, field, isDoc, setField, toPlain } from './values.ts';

/** An update, checked once. */
export interface Update {
  /** True when it puts a whole document in the other's place. */
  readonly replaces: boolean;
  /** The changed copy of a document in exact form. @throws CommandError when the update does not fit the document */
  apply(doc: Doc, inserting: boolean): Doc;
}

const pipelineStages = new Set(['$addFields', '$set', '$project', '$unset', '$replaceRoot', '$replaceWith']);

/**
 * Checks an update: a replacement, operators, or a pipeline.
 * @param update in exact form
 * @param filter the filter that chooses the documents, for the positional operator
 * @throws CommandError FailedToParse for an unknown modifier, ConflictingUpdateOperators for paths in each other's way
 */
export function compileUpdate(update: unknown, filter: Filter, arrayFilters: unknown, around: Surroundings): Update {
  if (Array.isArray(update)) return pipelineUpdate(update, around);
  if (!isDoc(update)) throw new CommandError('FailedToParse', 'an update must be a document or a pipeline');
  if (!Object.keys(update)[0]?.startsWith('$')) return replacement(update);
  const steps = stepsOf(update);
  const paths = steps.map(({ path }) => path);
  checkConflicts([...paths, ...steps.flatMap(({ name, operand }) => (name === '$rename' ? [String(operand)] : []))]);
  const filters = compileArrayFilters(arrayFilters, paths);
  return {
    replaces: false,
    apply(doc, inserting) {
      const out = cloneValue(doc) as Doc;
      const positions = { arrayFilters: filters, ...(!inserting && { filter }) };
      for (const { name, path, operand } of steps) {
        if (name === '$setOnInsert' && !inserting) continue;
        const operate = updateOperators[name];
        for (const place of expandPath(out, path.split('.'), positions)) operate?.(out, place, cloneValue(operand));
      }
      return out;
    },
  };
}

interface Step {
  readonly name: string;
  readonly path: string;
  readonly operand: unknown;
}

/** The single changes in the order in which MongoDB makes them: by path, which is the order of the fields they add. */
function stepsOf(update: Doc): Step[] {
  const steps: Step[] = [];
  for (const [name, fields] of Object.entries(update)) {
    if (!Object.hasOwn(updateOperators, name)) {
      const message = `Unknown modifier: ${name}. Expected a valid update modifier or pipeline-style update specified as an array`;
      throw new CommandError('FailedToParse', message);
    }
    if (!isDoc(fields))
      throw new CommandError('FailedToParse', `Modifiers operate on fields but we found another type for ${name}`);
    for (const [path, operand] of Object.entries(fields)) {
      checkPath(path);
      if (name === '$rename') {
        if (typeof operand !== 'string')
          throw new CommandError('BadValue', `The 'to' field for $rename must be a string: ${path}`);
        checkPath(operand);
      }
      steps.push({ name, path, operand });
    }
  }
  return steps.sort((a, b) => comparePaths(a.path.split('.'), b.path.split('.')));
}

function checkPath(path: string): void {
  const parts = path.split('.');
  if (parts.includes('')) throw new CommandError('BadValue', `The update path '${path}' contains an empty field name`);
  if (parts[0]?.startsWith('$')) {
    throw new CommandError(
      'DollarPrefixedFieldName',
      `The dollar ($) prefixed field '${parts[0]}' in '${path}' is not allowed`,
    );
  }
}

function comparePaths(a: string[], b: string[]): number {
  for (const [i, part] of a.entries()) {
    const other = b[i];
    if (other === undefined) return 1;
    if (part === other) continue;
    const byNumber = Number(part) - Number(other);
    return Number.isNaN(byNumber) ? (part < other ? -1 : 1) : byNumber;
  }
  return a.length - b.length;
}

function checkConflicts(paths: readonly string[]): void {
  paths.forEach((path, i) => {
    const other = paths.find(
      (each, j) => j < i && (each === path || each.startsWith(`${path}.`) || path.startsWith(`${each}.`)),
    );
    if (other === undefined) return;
    const at = other.length < path.length ? other : path;
    throw new CommandError(
      'ConflictingUpdateOperators',
      `Updating the path '${path}' would create a conflict at '${at}'`,
    );
  });
}

function replacement(update: Doc): Update {
  const dollar = Object.keys(update).find((key) => key.startsWith('$'));
  if (dollar) {
    throw new CommandError(
      'DollarPrefixedFieldName',
      `The dollar ($) prefixed field '${dollar}' is not allowed in a replacement`,
    );
  }
  return {
    replaces: true,
    apply: (doc) => withIdFirst(Object.hasOwn(update, '_id') ? update : { _id: doc._id, ...update }),
  };
}

function pipelineUpdate(update: unknown[], around: Surroundings): Update {
  const pipeline = checkPipeline(toPlain(update), pipelineStages);
  return {
    replaces: false,
    apply(doc) {
      const [out] = aggregate([toPlain(doc) as Doc], pipeline, around);
      const typed = retype(out, doc) as Doc;
      return Object.hasOwn(typed, '_id') || doc._id === undefined ? typed : withIdFirst({ _id: doc._id, ...typed });
    },
  };
}

/** Gives what a pipeline left alone its exact type back. */
function retype(value: unknown, exact: unknown): unknown {
  if (isDoc(value) && isDoc(exact)) {
    const out: Doc = {};
    for (const key of Object.keys(value)) setField(out, key, retype(value[key], field(exact, key)));
    return out;
  }
  if (Array.isArray(value) && Array.isArray(exact)) return value.map((element, i) => retype(element, exact[i]));
  return rank(value) === 10 && equals(value, exact) ? exact : value;
}

/** The document with `_id` as its first field, where MongoDB keeps it. */
export function withIdFirst(doc: Doc): Doc {
  if (!Object.hasOwn(doc, '_id') || Object.keys(doc)[0] === '_id') return doc;
  const { _id, ...rest } = doc;
  return { _id, ...rest };
}

/** What an upsert begins with: the fields that the filter (in exact form) asks to equal a value. */
export function fieldsOfFilter(filter: Doc, onlyId: boolean, doc: Doc = {}): Doc {
  for (const [key, condition] of Object.entries(filter)) {
    if (key === '$and' && Array.isArray(condition)) {
      for (const part of condition) fieldsOfFilter(part as Doc, onlyId, doc);
    }
    if (key.startsWith('$') || (onlyId && key !== '_id')) continue;
    const value = equalTo(condition);
    if (value !== undefined) put(placeOf(doc, key.split('.'), true) as Place, cloneValue(value));
  }
  return doc;
}

function equalTo(condition: unknown): unknown {
  if ((condition as { _bsontype?: string } | null)?._bsontype === 'BSONRegExp') return undefined;
  if (!isDoc(condition) || !Object.keys(condition)[0]?.startsWith('$')) return condition;
  if (Object.hasOwn(condition, '$eq')) return condition.$eq;
  const list = condition.$in ?? condition.$all;
  return Array.isArray(list) && list.length === 1 && !isDoc(list[0]) ? list[0] : undefined;
}
