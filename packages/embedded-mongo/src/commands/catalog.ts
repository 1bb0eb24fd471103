import { Binary } from 'bson';
import type { Collection } from '../collection.ts';
import { CommandError, notImplemented } from '../errors.ts';
import { compileFilter } from '../filter.ts';
import type { Reply } from '../reply.ts';
import { type Doc, isDoc, numberOf, toPlain, write } from '../values.ts';
import {
  type Command,
  type CommandContext,
  checkCollation,
  collectionOf,
  countArgument,
  existing,
  namespaceOf,
} from './command.ts';

function statsOf(collections: readonly Collection[]): Doc {
  const size = collections.reduce((total, { bytes }) => total + bytes, 0);
  const count = collections.reduce((total, { docs }) => total + docs.size, 0);
  const nindexes = collections.reduce((total, { indexes }) => total + indexes.length, 0);
  return {
    size,
    count,
    avgObjSize: count === 0 ? 0 : Math.round(size / count),
    storageSize: size,
    nindexes,
    totalIndexSize: 0,
    totalSize: size,
  };
}

function collectionsIn(context: CommandContext): Collection[] {
  return context.store.collections.filter(({ database }) => database === context.database);
}

function listed(collection: Collection): Doc {
  return {
    name: collection.name,
    type: 'collection',
    options: {},
    info: { readOnly: false, uuid: new Binary(collection.uuid, Binary.SUBTYPE_UUID) },
    idIndex: { v: 2, key: { _id: 1 }, name: '_id_' },
  };
}

function admin(context: CommandContext): void {
  if (context.database !== 'admin')
    throw new CommandError('Unauthorized', `${context.name} may only be run against the admin database.`);
}

function renameCollection(context: CommandContext): Reply {
  admin(context);
  const { args, store, changes } = context;
  const [from, to] = [String(args.renameCollection), String(args.to)];
  const collection = store.find(from);
  if (!collection) throw new CommandError('NamespaceNotFound', `Source collection ${from} does not exist`);
  const target = store.find(to);
  if (from === to) throw new CommandError('IllegalOperation', "Can't rename a collection to itself");
  if (from.split('.')[0] !== to.split('.')[0]) notImplemented('renaming into another database');
  if (target && args.dropTarget !== true) throw new CommandError('NamespaceExists', 'target namespace exists');
  if (target) store.drop(target, changes);
  store.rename(collection, to, changes);
  return {};
}

/** Commands about databases and collections. */
export const catalogCommands: Record<string, Command> = {
  create: {
    fields:
      'capped size max timeseries viewOn pipeline validator validationLevel validationAction collation clusteredIndex ' +
      'expireAfterSeconds changeStreamPreAndPostImages encryptedFields idIndex indexOptionDefaults storageEngine autoIndexId',
    run(context) {
      checkCollation(context.args.collation);
      const unsupported = this.fields.split(' ').filter((name) => name !== 'collation' && name !== 'idIndex');
      for (const name of unsupported)
        if (context.args[name] !== undefined && context.args[name] !== false) notImplemented(`create with ${name}`);
      if (!collectionOf(context)) context.store.create(namespaceOf(context), context.changes);
      return {};
    },
  },
  drop: {
    fields: '',
    run(context) {
      const collection = existing(context);
      context.store.drop(collection, context.changes);
      return { nIndexesWas: collection.indexes.length, ns: collection.namespace };
    },
  },
  dropDatabase: {
    fields: '',
    run(context) {
      for (const collection of collectionsIn(context)) context.store.drop(collection, context.changes);
      return { dropped: context.database };
    },
  },
  renameCollection: { fields: 'to dropTarget', run: renameCollection },
  collMod: {
    fields: 'index',
    run(context) {
      const collection = existing(context);
      const { index } = context.args;
      if (!isDoc(index)) return {};
      const pattern = JSON.stringify(Object.entries((toPlain(index.keyPattern) ?? {}) as Doc));
      const name =
        index.name ??
        collection.indexes.find(({ spec }) => JSON.stringify(Object.entries(spec.key)) === pattern)?.spec.name;
      const unknown = Object.keys(index).find(
        (key) => !['name', 'keyPattern', 'expireAfterSeconds', 'hidden'].includes(key),
      );
      if (unknown) notImplemented(`collMod of ${unknown}`);
      const options: Doc = {};
      if (index.expireAfterSeconds !== undefined) options.expireAfterSeconds = numberOf(index.expireAfterSeconds);
      if (index.hidden !== undefined) options.hidden = index.hidden;
      collection.changeIndex(String(name), options, context.changes);
      return {};
    },
  },
  listCollections: {
    fields: 'filter nameOnly authorizedCollections cursor',
    run(context) {
      const { args, cursors, database } = context;
      const filter = compileFilter(toPlain(args.filter ?? {}));
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
      admin(context);
      const { collections } = context.store;
      const filter = compileFilter(toPlain(context.args.filter ?? {}));
      const databases = [...new Set(collections.map(({ database }) => database))]
        .map((name) => {
          const own = collections.filter(({ database }) => database === name);
          const sizeOnDisk = own.reduce((total, { bytes }) => total + bytes, 0);
          return { name, sizeOnDisk, empty: own.every(({ docs }) => docs.size === 0) };
        })
        .filter((each) => filter.test(each));
      if (context.args.nameOnly === true) return { databases: databases.map(({ name }) => ({ name })) };
      return { databases, totalSize: databases.reduce((total, { sizeOnDisk }) => total + sizeOnDisk, 0) };
    },
  },
  collStats: {
    fields: 'scale',
    run(context) {
      const collection = collectionOf(context);
      const indexSizes = Object.fromEntries((collection?.indexes ?? []).map((index) => [index.spec.name, 0]));
      return {
        ns: namespaceOf(context),
        ...statsOf(collection ? [collection] : []),
        capped: false,
        indexSizes,
        scaleFactor: 1,
      };
    },
  },
  dbStats: {
    fields: 'scale freeStorage',
    run(context) {
      const own = collectionsIn(context);
      const { size, count, avgObjSize, nindexes } = statsOf(own);
      const sizes = { avgObjSize, dataSize: size, storageSize: size, indexSize: 0, totalSize: size, scaleFactor: 1 };
      return { db: context.database, collections: own.length, views: 0, objects: count, indexes: nindexes, ...sizes };
    },
  },
};
