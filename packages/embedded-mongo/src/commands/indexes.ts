import { CommandError, notImplemented } from '../errors.ts';
import { compileFilter } from '../filter.ts';
import type { Index, IndexSpec } from '../index.ts';
import { equals } from '../order.ts';
import { isPosition } from '../paths.ts';
import { type Doc, isDoc, numberOf, toPlain, write } from '../values.ts';
import { type Command, checkCollation, countArgument, existing, namespaceOf } from './command.ts';

const maxIndexes = 64;
const options = 'v key name unique sparse hidden partialFilterExpression expireAfterSeconds background collation ns';

/** Checks the description of an index. @throws CommandError CannotCreateIndex, NotImplemented */
function parseSpec(given: unknown): IndexSpec {
  const refuse = (message: string): never => {
    throw new CommandError('CannotCreateIndex', message);
  };
  if (!isDoc(given) || !isDoc(given.key) || Object.keys(given.key).length === 0)
    return refuse('Index keys cannot be empty.');
  const unknown = Object.keys(given).find((name) => !options.split(' ').includes(name));
  if (unknown) notImplemented(`the index option ${unknown}`);
  checkCollation(given.collation);
  const key: Record<string, 1 | -1> = {};
  for (const [path, direction] of Object.entries(given.key)) {
    if (typeof direction === 'string') notImplemented(`an index of type ${direction}`);
    const parts = path.split('.');
    if (parts.some((part) => part.startsWith('$'))) notImplemented(`an index on ${path}`);
    if (parts.includes('')) refuse(`Index key contains an empty field name: ${path}`);
    if (parts.some(isPosition)) notImplemented('an index on a position in an array');
    const n = numberOf(direction);
    if (Number.isNaN(n) || n === 0) refuse(`Values in v:2 index key pattern cannot be ${String(direction)}`);
    key[path] = n > 0 ? 1 : -1;
  }
  if (typeof given.name !== 'string' || given.name === '') refuse('an index needs a name');
  const partial = given.partialFilterExpression;
  const seconds = given.expireAfterSeconds;
  if (seconds !== undefined) {
    if (Object.keys(key).length > 1 || key._id) refuse('TTL indexes are single-field indexes, not on _id');
    if (!(numberOf(seconds) >= 0 && numberOf(seconds) < 2 ** 31))
      refuse('expireAfterSeconds has to be from 0 to 2147483647');
  }
  if (partial !== undefined && given.sparse === true)
    refuse('cannot mix "partialFilterExpression" and "sparse" options');
  const spec: IndexSpec = {
    v: 2,
    key,
    name: String(given.name),
    ...(given.unique === true && { unique: true }),
    ...(given.sparse === true && { sparse: true }),
    ...(given.hidden === true && { hidden: true }),
    ...(partial !== undefined && { partialFilterExpression: toPlain(partial) as Doc }),
    ...(seconds !== undefined && { expireAfterSeconds: numberOf(seconds) }),
  };
  if (partial !== undefined) compileFilter(spec.partialFilterExpression);
  return spec;
}

/** True when the index is there already. @throws CommandError when another one is in its way */
function alreadyThere(indexes: readonly Index[], spec: IndexSpec): boolean {
  for (const { spec: other } of indexes) {
    const sameKey = JSON.stringify(Object.entries(other.key)) === JSON.stringify(Object.entries(spec.key));
    const samePartial = equals(other.partialFilterExpression ?? null, spec.partialFilterExpression ?? null);
    const sameOptions =
      samePartial &&
      !other.unique === !spec.unique &&
      !other.sparse === !spec.sparse &&
      other.expireAfterSeconds === spec.expireAfterSeconds;
    if (sameKey && (sameOptions || other.name === '_id_') && (other.name === spec.name || other.name === '_id_'))
      return true;
    if (other.name === spec.name) {
      const message = `An existing index has the same name as the requested index: ${spec.name}`;
      throw new CommandError(sameKey ? 'IndexOptionsConflict' : 'IndexKeySpecsConflict', message);
    }
    if (sameKey && samePartial) {
      throw new CommandError('IndexOptionsConflict', `Index already exists with a different name: ${other.name}`);
    }
  }
  return false;
}

/** Commands about indexes. */
export const indexCommands: Record<string, Command> = {
  createIndexes: {
    fields: 'indexes commitQuorum',
    run(context) {
      const { args, changes, store } = context;
      if (!Array.isArray(args.indexes) || args.indexes.length === 0) {
        throw new CommandError('BadValue', 'Must specify at least one index to create');
      }
      const specs = args.indexes.map(parseSpec);
      const created = store.find(namespaceOf(context)) === undefined;
      const collection = store.ensure(namespaceOf(context), changes);
      const before = collection.indexes.length;
      for (const spec of specs) {
        if (alreadyThere(collection.indexes, spec)) continue;
        if (collection.indexes.length >= maxIndexes)
          throw new CommandError('CannotCreateIndex', `more than ${maxIndexes} indexes`);
        collection.createIndex(spec, changes);
      }
      const after = collection.indexes.length;
      return {
        numIndexesBefore: before,
        numIndexesAfter: after,
        createdCollectionAutomatically: created,
        ...(before === after && { note: 'all indexes already exist' }),
      };
    },
  },
  dropIndexes: {
    fields: 'index',
    run(context) {
      const { args, changes } = context;
      const collection = existing(context);
      const before = collection.indexes.length;
      const named = Array.isArray(args.index) ? args.index : [args.index];
      if (args.index === '*') {
        for (const { spec } of collection.indexes.slice(1)) collection.dropIndex(spec.name, changes);
        return { nIndexesWas: before };
      }
      for (const each of named) {
        const wanted = isDoc(each)
          ? JSON.stringify(Object.entries(each).map(([path, n]) => [path, numberOf(n)]))
          : undefined;
        const match = collection.indexes.find(({ spec }) =>
          wanted ? JSON.stringify(Object.entries(spec.key)) === wanted : spec.name === each,
        );
        if (!match) throw new CommandError('IndexNotFound', `index not found with name [${String(each)}]`);
        collection.dropIndex(match.spec.name, changes);
      }
      return { nIndexesWas: before };
    },
  },
  listIndexes: {
    fields: 'cursor',
    run(context) {
      const collection = existing(context);
      const { cursor } = context.args;
      const specs = collection.indexes.map(({ spec }) =>
        spec.name === '_id_' ? { v: 2, key: spec.key, name: spec.name } : spec,
      );
      const batchSize = isDoc(cursor) ? countArgument(cursor.batchSize, 'batchSize') : undefined;
      return { cursor: context.cursors.first(collection.namespace, specs, (spec) => write({ ...spec }), batchSize) };
    },
  },
};
