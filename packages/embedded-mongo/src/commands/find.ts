import { Long } from 'bson';
import { CommandError, notImplemented } from '../errors.ts';
import { evaluate, context as expressionContext } from '../expressions.ts';
import { compileFilter, type Filter } from '../filter.ts';
import { equals, keyOf } from '../order.ts';
import { compileProjection } from '../projection.ts';
import { explainQuery, type Query, runQuery, type Source } from '../query.ts';
import type { Reply } from '../reply.ts';
import { parseSort } from '../sort.ts';
import type { Stored } from '../stored.ts';
import { matchedPosition } from '../update-path.ts';
import { type Doc, field, isDoc, numberOf, toPlain, writeResult } from '../values.ts';
import {
  type Command,
  type CommandContext,
  checkCollation,
  collectionOf,
  countArgument,
  namespaceOf,
  surroundings,
} from './command.ts';

const noDocuments: Omit<Source, 'namespace'> = { docs: new Map(), indexes: [] };

/** The collection that a read names, empty when it does not exist. */
export function sourceOf(context: CommandContext): Source {
  return collectionOf(context) ?? { namespace: namespaceOf(context), ...noDocuments };
}

/** The query in the arguments of find, count and the like. @throws CommandError */
export function queryOf(context: CommandContext, filter: unknown): Query {
  const { args } = context;
  checkCollation(args.collation);
  const { variables } = surroundings(context);
  const limit = args.limit === undefined ? 0 : Math.abs(numberOf(args.limit));
  if (!Number.isInteger(limit)) throw new CommandError('BadValue', "BSON field 'limit' has to be a whole number");
  return {
    filter: compileFilter(toPlain(filter ?? {}), variables),
    sort: parseSort(args.sort),
    skip: countArgument(args.skip, 'skip') ?? 0,
    limit,
    hint: args.hint,
  };
}

/** A function from stored documents to the BSON of their projection. @throws CommandError BadValue */
export function projector(spec: unknown, filter: Filter, variables: Doc): (doc: Stored) => Uint8Array {
  if (!isDoc(spec) || Object.keys(spec).length === 0) return (doc) => doc.bytes;
  const project = compileProjection(
    spec,
    (doc, expression) => evaluate(doc, expression, { context: expressionContext, variables }),
    true,
    (doc, path) => matchedPosition(filter.normal, doc, path.split('.')),
  );
  return (doc) => writeResult(project(doc.exact(), () => doc.plain));
}

function checkFind(args: Doc): void {
  for (const name of ['tailable', 'awaitData', 'min', 'max', 'returnKey', 'showRecordId']) {
    if (
      args[name] !== undefined &&
      args[name] !== false &&
      !(isDoc(args[name]) && Object.keys(args[name]).length === 0)
    ) {
      notImplemented(`the option ${name} of find`);
    }
  }
}

/** Commands that read documents. */
export const findCommands: Record<string, Command> = {
  find: {
    fields:
      'filter sort projection hint skip limit batchSize singleBatch let collation allowDiskUse noCursorTimeout tailable ' +
      'awaitData min max returnKey showRecordId allowPartialResults oplogReplay',
    run(context) {
      checkFind(context.args);
      const source = sourceOf(context);
      const query = queryOf(context, context.args.filter);
      const toBytes = projector(context.args.projection, query.filter, surroundings(context).variables);
      const { docs } = runQuery(source, query);
      const { batchSize, limit, singleBatch } = context.args;
      const single = singleBatch === true || (limit !== undefined && numberOf(limit) < 0);
      return {
        cursor: context.cursors.first(source.namespace, docs, toBytes, countArgument(batchSize, 'batchSize'), single),
      };
    },
  },
  getMore: {
    fields: 'collection batchSize',
    run({ args, cursors, database }) {
      const id = Long.isLong(args.getMore) ? args.getMore : Long.fromNumber(numberOf(args.getMore));
      return {
        cursor: cursors.more(id, `${database}.${String(args.collection)}`, countArgument(args.batchSize, 'batchSize')),
      };
    },
  },
  killCursors: {
    fields: 'cursors',
    run({ args, cursors }) {
      const ids = (Array.isArray(args.cursors) ? args.cursors : []).filter((id) => Long.isLong(id));
      const cursorsKilled = ids.filter((id) => cursors.kill(id));
      const cursorsNotFound = ids.filter((id) => !cursorsKilled.includes(id));
      return { cursorsKilled, cursorsNotFound, cursorsAlive: [], cursorsUnknown: [] };
    },
  },
  count: {
    fields: 'query limit skip hint fields collation',
    run(context) {
      const source = sourceOf(context);
      const query = queryOf(context, context.args.query);
      const all = Object.keys(query.filter.normal).length === 0 && !query.limit && !query.skip && !query.hint;
      return { n: all ? source.docs.size : runQuery(source, query).docs.length };
    },
  },
  distinct: {
    fields: 'key query collation hint',
    run(context) {
      const { key } = context.args;
      if (typeof key !== 'string' || key === '') throw new CommandError('BadValue', 'distinct needs a key');
      const values = new Map<string, unknown>();
      for (const doc of runQuery(sourceOf(context), queryOf(context, context.args.query)).docs) {
        valuesAt(doc.exact(), key.split('.'), (value) => {
          const id = keyOf(value);
          if (!values.has(id)) values.set(id, value);
        });
      }
      return { values: [...values.values()] };
    },
  },
};

function valuesAt(value: unknown, path: readonly string[], found: (value: unknown) => void, at = 0): void {
  const part = path[at];
  if (part === undefined) {
    if (Array.isArray(value)) value.forEach(found);
    else if (value !== undefined) found(value);
  } else if (Array.isArray(value)) {
    if (/^\d+$/.test(part) && Number(part) < value.length) valuesAt(value[Number(part)], path, found, at + 1);
    else for (const element of value) valuesAt(element, path, found, at);
  } else if (isDoc(value)) valuesAt(field(value, part), path, found, at + 1);
}

/** What explain answers for a query with the given arguments. */
export function explained(context: CommandContext, filter: unknown, verbosity: string, single = false): Reply {
  const query = queryOf(context, filter);
  const projected = isDoc(context.args.projection) && !equals(context.args.projection, {});
  return explainQuery(sourceOf(context), single ? { ...query, limit: 1 } : query, projected, verbosity);
}
