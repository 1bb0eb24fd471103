import { CommandError, notImplemented } from '../errors.ts';
import { compileFilter } from '../filter.ts';
import type { Index, IndexSpec } from '../index.ts';
import { equals } from '../keys.ts';
import { isPosition } from '../paths.ts';
import { isNamed } from '../planner.ts';
import { type Doc, isDoc, isOperators, numberOf, write } from '../values.ts';
import { type Command, checkCollation, countArgument, existing, namespaceOf } from './command.ts';

const maxIndexes = 64;
const options = 'v key name unique sparse partialFilterExpression expireAfterSeconds background collation ns';

function refuse(message: string): never {
  throw new CommandError('CannotCreateIndex', message);
}

/** Checks the description of an index. @throws CommandError CannotCreateIndex, NotImplemented */
function parseSpec(given: unknown): IndexSpec {
  if (!isDoc(given) || !isDoc(given.key) || Object.keys(given.key).length === 0) refuse('Index keys cannot be empty.');
  const unknown = Object.keys(given).find((name) => !options.split(' ').includes(name));
  if (unknown) notImplemented(`the index option ${unknown}`);
  checkCollation(given.collation);
  const { name, unique, sparse, partialFilterExpression: partial, expireAfterSeconds } = given;
  const key = Object.fromEntries(Object.entries(given.key).map(parseField));
  if (typeof name !== 'string' || name === '') refuse('an index needs a name');
  const seconds = expireAfterSeconds === undefined ? undefined : numberOf(expireAfterSeconds);
  if (seconds !== undefined && (Object.keys(key).length > 1 || key._id || !(seconds >= 0 && seconds < 2 ** 31))) {
    refuse('TTL indexes are single-field indexes, not on _id, that expire after 0 to 2147483647 seconds');
  }
  if (partial !== undefined && sparse === true) refuse('cannot mix "partialFilterExpression" and "sparse" options');
  if (partial !== undefined) checkPartial(partial);
  return {
    v: 2,
    key,
    name,
    ...(unique === true && { unique: true }),
    ...(sparse === true && { sparse: true }),
    ...(partial !== undefined && { partialFilterExpression: partial as Doc }),
    ...(seconds !== undefined && { expireAfterSeconds: seconds }),
  };
}

function parseField([path, direction]: [string, unknown]): [string, 1 | -1] {
  const parts = path.split('.');
  if (typeof direction === 'string') notImplemented(`an index of type ${direction}`);
  if (parts.some((part) => part.startsWith('$') || isPosition(part))) notImplemented(`an index on ${path}`);
  if (parts.includes('')) refuse(`Index key contains an empty field name: ${path}`);
  const n = numberOf(direction);
  if (!n) refuse(`Values in v:2 index key pattern cannot be ${String(direction)}`);
  return [path, n > 0 ? 1 : -1];
}

/** Only of these conditions the planner can tell whether others imply them. */
function checkPartial(filter: unknown): void {
  compileFilter(filter);
  for (const [key, value] of Object.entries(filter as Doc)) {
    if (key === '$and') (value as unknown[]).forEach(checkPartial);
    else if (key.startsWith('$')) refuse(`unsupported expression in partial index: ${key}`);
    for (const [operator, operand] of isOperators(value) ? Object.entries(value) : []) {
      const allowed = /^\$(eq|in|gte?|lte?|type)$/.test(operator) || (operator === '$exists' && operand === true);
      if (!allowed) refuse(`unsupported expression in partial index: ${operator}`);
    }
  }
}

/** True when the index is there already. @throws CommandError when another one is in its way */
function alreadyThere(indexes: readonly Index[], spec: IndexSpec): boolean {
  for (const index of indexes) {
    const { spec: other } = index;
    const sameName = other.name === spec.name;
    const sameKey = isNamed(index, spec.key);
    if (sameKey && other.name === '_id_') return true;
    const samePartial = equals(other.partialFilterExpression ?? null, spec.partialFilterExpression ?? null);
    const sameOptions =
      !other.unique === !spec.unique &&
      !other.sparse === !spec.sparse &&
      other.expireAfterSeconds === spec.expireAfterSeconds;
    if (sameKey && samePartial && sameOptions && sameName) return true;
    if (!sameName && !(sameKey && samePartial)) continue;
    const message = `An existing index, ${other.name}, has the same name or key as the requested one, ${spec.name}`;
    throw new CommandError(sameKey ? 'IndexOptionsConflict' : 'IndexKeySpecsConflict', message);
  }
  return false;
}

/** Commands about indexes. */
export const indexCommands: Record<string, Command> = {
  createIndexes: {
    fields: 'indexes commitQuorum',
    run(context) {
      const { args, store } = context;
      if (!Array.isArray(args.indexes) || args.indexes.length === 0) {
        throw new CommandError('BadValue', 'Must specify at least one index to create');
      }
      const specs = args.indexes.map(parseSpec);
      const createdCollectionAutomatically = store.find(namespaceOf(context)) === undefined;
      const collection = store.ensure(namespaceOf(context));
      const before = collection.indexes.length;
      for (const spec of specs) if (!alreadyThere(collection.indexes, spec)) collection.createIndex(spec);
      const numIndexesAfter = collection.indexes.length;
      if (numIndexesAfter > maxIndexes) refuse(`more than ${maxIndexes} indexes`);
      const note = before === numIndexesAfter ? 'all indexes already exist' : undefined;
      return { numIndexesBefore: before, numIndexesAfter, createdCollectionAutomatically, note };
    },
  },
  dropIndexes: {
    fields: 'index',
    run(context) {
      const collection = existing(context);
      const nIndexesWas = collection.indexes.length;
      const wanted = [context.args.index].flat();
      if (wanted[0] === '*') for (const { spec } of collection.indexes.slice(1)) collection.dropIndex(spec.name);
      else for (const each of wanted) collection.dropIndex(nameOf(collection.indexes, each));
      return { nIndexesWas };
    },
  },
  listIndexes: {
    fields: 'cursor',
    run(context) {
      const collection = existing(context);
      const { cursor } = context.args;
      const specs = collection.indexes.map(({ spec: { unique, ...spec } }) =>
        spec.name === '_id_' || !unique ? spec : { ...spec, unique },
      );
      const batchSize = isDoc(cursor) ? countArgument(cursor.batchSize, 'batchSize') : undefined;
      return { cursor: context.cursors.first(collection.namespace, specs, (spec) => write({ ...spec }), batchSize) };
    },
  },
};

function nameOf(indexes: readonly Index[], wanted: unknown): string {
  return indexes.find((index) => isNamed(index, wanted))?.spec.name ?? String(wanted);
}
