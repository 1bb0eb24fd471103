import { Binary } from 'bson';
import type { Collection } from '../collection.ts';
import { CommandError } from '../errors.ts';
import { compileFilter } from '../filter.ts';
import { type Doc, isDoc, write } from '../values.ts';
import {
  type Command,
  type CommandContext,
  checkCollation,
  collectionOf,
  countArgument,
  existing,
  ignoredArguments,
  namespaceOf,
  refuseArguments,
} from './command.ts';

function totals(collections: readonly Collection[]) {
  const sum = (of: (collection: Collection) => number) => collections.reduce((total, each) => total + of(each), 0);
  const [size, count, indexes] = [
    sum(({ bytes }) => bytes),
    sum((each) => each.count),
    sum((each) => each.indexes.length),
  ];
  const avgObjSize = count === 0 ? 0 : Math.round(size / count);
  return { size, count, indexes, sizes: { avgObjSize, storageSize: size, totalSize: size, scaleFactor: 1 } };
}

function collectionsIn({ store, database }: CommandContext): Collection[] {
  return store.collections.filter((each) => each.database === database);
}

function listed({ name, uuid }: Collection): Doc {
  return {
    name,
    type: 'collection',
    options: {},
    info: { readOnly: false, uuid: new Binary(Buffer.from(uuid, 'hex'), Binary.SUBTYPE_UUID) },
    idIndex: { v: 2, key: { _id: 1 }, name: '_id_' },
  };
}

function checkAdmin({ database, name }: CommandContext): void {
  if (database !== 'admin')
    throw new CommandError('Unauthorized', `${name} may only be run against the admin database.`);
}

/** Commands about databases and collections. */
export const catalogCommands: Record<string, Command> = {
  create: {
    fields: '*',
    run(context) {
      const { create: _name, collation, ...options } = context.args;
      checkCollation(collation);
      refuseArguments(
        options,
        Object.keys(options).filter((name) => !ignoredArguments.has(name)),
      );
      context.store.ensure(namespaceOf(context));
      return {};
    },
  },
  drop: {
    fields: '',
    run(context) {
      const collection = existing(context);
      context.store.drop(collection);
      return { nIndexesWas: collection.indexes.length, ns: collection.namespace };
    },
  },
  dropDatabase: {
    fields: '',
    run(context) {
      for (const collection of collectionsIn(context)) context.store.drop(collection);
      return { dropped: context.database };
    },
  },
  listCollections: {
    fields: 'filter nameOnly authorizedCollections cursor',
    run(context) {
      const { args, cursors, database } = context;
      const filter = compileFilter(args.filter);
      const found = collectionsIn(context)
        .map(listed)
        .filter((each) => filter.test(each));
      const shown = args.nameOnly === true ? found.map(({ name, type }) => ({ name, type })) : found;
      const batchSize = isDoc(args.cursor) ? countArgument(args.cursor.batchSize, 'batchSize') : undefined;
      return { cursor: cursors.first(`${database}.$cmd.listCollections`, shown, write, batchSize ?? 100_000) };
    },
  },
  listDatabases: {
    fields: 'filter nameOnly authorizedDatabases',
    run(context) {
      checkAdmin(context);
      const filter = compileFilter(context.args.filter);
      const groups = Object.entries(Object.groupBy(context.store.collections, ({ database }) => database));
      const databases = groups.map(([name, own = []]) => {
        const { size: sizeOnDisk, count } = totals(own);
        return { name, sizeOnDisk, empty: count === 0 };
      });
      const found = databases.filter((each) => filter.test(each));
      if (context.args.nameOnly === true) return { databases: found.map(({ name }) => ({ name })) };
      return { databases: found, totalSize: found.reduce((total, { sizeOnDisk }) => total + sizeOnDisk, 0) };
    },
  },
  collStats: {
    fields: 'scale',
    run(context) {
      const collection = collectionOf(context);
      const { size, count, indexes: nindexes, sizes } = totals(collection ? [collection] : []);
      const indexSizes = Object.fromEntries((collection?.indexes ?? []).map(({ spec }) => [spec.name, 0]));
      return {
        ns: namespaceOf(context),
        size,
        count,
        nindexes,
        ...sizes,
        totalIndexSize: 0,
        indexSizes,
        capped: false,
      };
    },
  },
  dbStats: {
    fields: 'scale freeStorage',
    run(context) {
      const own = collectionsIn(context);
      const { size, count, indexes, sizes } = totals(own);
      const counts = { collections: own.length, views: 0, objects: count, indexes };
      return { db: context.database, ...counts, ...sizes, dataSize: size, indexSize: 0 };
    },
  },
};
