import { Long } from 'bson';
import type { Stored } from '../collection.ts';
import { countingGroup, countQuery } from '../count.ts';
import { CommandError, notImplemented } from '../errors.ts';
import { onlyFields } from '../fields.ts';
import { compileFilter } from '../filter.ts';
import { keyOf } from '../keys.ts';
import { reaches } from '../paths.ts';
import { compileProjection, keptFields } from '../projection.ts';
import { explainQuery, type Query, runQuery } from '../query.ts';
import type { Reply } from '../reply.ts';
import { parseSort } from '../sort.ts';
import { compilePipeline, type Pipeline, stagesOf } from '../stages.ts';
import { prepared } from '../update.ts';
import { type Doc, isDoc, numberOf, read, toPlain, write } from '../values.ts';
import {
  type Command,
  type CommandContext,
  checkCollation,
  collectionOf,
  countArgument,
  namespaceOf,
  queryOf,
  refuseArguments,
  surroundings,
} from './command.ts';

/** The function of a find's projection; undefined without one. @throws CommandError BadValue */
export function projectorOf(context: CommandContext, spec: unknown): ((doc: Doc) => Doc) | undefined {
  if (!isDoc(spec) || Object.keys(spec).length === 0) return undefined;
  return compileProjection(spec, surroundings(context).variables, true);
}

/** Gives the BSON that a find answers of a document. @throws CommandError BadValue */
function answererOf(context: CommandContext): (stored: Stored) => Uint8Array {
  const { projection } = context.args;
  const project = projectorOf(context, projection);
  if (!project) return ({ bytes }) => bytes;
  const keeps = keptFields(projection as Doc);
  return keeps ? ({ bytes }) => onlyFields(bytes, keeps) : ({ doc }) => write(project(doc));
}

function batchSizeOf(args: Doc): number | undefined {
  return countArgument(args.batchSize, 'batchSize');
}

/** The leading stages of a pipeline as a query that indexes can answer, and the stages that remain. */
function split(context: CommandContext): { query: Query; rest: Doc[]; run: Pipeline; target?: string } {
  const around = surroundings(context);
  const { hint, collation } = context.args;
  const { pipeline, target } = withoutOut(context);
  checkCollation(collation);
  stagesOf(pipeline);
  const rest = [...(pipeline as Doc[])];
  const next = (name: string) => (rest[0]?.[name] === undefined ? undefined : rest.shift()?.[name]);
  const matches: unknown[] = [];
  for (let match = next('$match'); match !== undefined; match = next('$match')) matches.push(match);
  compilePipeline(rest, around);
  const filter = compileFilter(matches.length > 1 ? { $and: matches } : (matches[0] ?? {}), around.variables);
  const sort = parseSort(next('$sort'));
  const query = { filter, sort, skip: numberOf(next('$skip') ?? 0), limit: numberOf(next('$limit') ?? 0), hint };
  return { query, rest, run: compilePipeline(rest, around), ...(target && { target }) };
}

/** The pipeline without `$out` at its end, and the collection that this names. */
function withoutOut({ args: { pipeline }, database }: CommandContext): { pipeline: unknown; target?: string } {
  const { $out } = Array.isArray(pipeline) && isDoc(pipeline.at(-1)) ? (pipeline.at(-1) as Doc) : {};
  if (!Array.isArray(pipeline) || $out === undefined) return { pipeline };
  const { db, coll } = isDoc($out) ? $out : { db: database, coll: $out };
  return { pipeline: pipeline.slice(0, -1), target: `${String(db)}.${String(coll)}` };
}

/** Puts results in the place of a collection's documents; its indexes stay. */
function putOut({ store }: CommandContext, namespace: string, results: readonly Uint8Array[]): void {
  const collection = store.ensure(namespace);
  for (const doc of [...collection.all()]) collection.remove(doc);
  for (const bytes of results) collection.insert(prepared(read(bytes)).bytes);
}

function explainPipeline(context: CommandContext, verbosity: string): Reply {
  const { query, rest } = split(context);
  const plan = explainQuery(namespaceOf(context), collectionOf(context), query, false, verbosity);
  return rest.length === 0 ? plan : { stages: [{ $cursor: plan }, ...rest] };
}

function explain(outer: CommandContext): Reply {
  const { explain: args, verbosity: wanted } = outer.args;
  const verbosity = typeof wanted === 'string' ? wanted : 'allPlansExecution';
  if (!isDoc(args)) throw new CommandError('BadValue', 'explain needs a command');
  const name = Object.keys(args)[0] ?? '';
  const context = { ...outer, name, args };
  if (name === 'aggregate') return explainPipeline(context, verbosity);
  const [{ q, multi, limit }] = [args.updates ?? args.deletes ?? [{}]].flat() as [Doc];
  const filters: Record<string, [filter: unknown, one: boolean]> = {
    find: [args.filter, false],
    count: [args.query, false],
    distinct: [args.query, false],
    findAndModify: [args.query, true],
    update: [q, multi !== true],
    delete: [q, numberOf(limit) === 1],
  };
  const [filter, one] = filters[name] ?? [];
  if (one === undefined) throw new CommandError('CommandNotFound', `Explain failed due to unknown command: ${name}`);
  const query = { ...queryOf(context, filter), ...(one && { limit: 1 }) };
  const projected = projectorOf(context, args.projection) !== undefined;
  return explainQuery(namespaceOf(context), collectionOf(context), query, projected, verbosity);
}

/** Commands that read documents. */
export const readCommands: Record<string, Command> = {
  find: {
    fields:
      'filter sort projection hint skip limit batchSize singleBatch let collation allowDiskUse noCursorTimeout tailable ' +
      'awaitData min max returnKey showRecordId allowPartialResults oplogReplay',
    isWhole: false,
    run(context) {
      const { args, cursors } = context;
      refuseArguments(args, ['tailable', 'awaitData', 'min', 'max', 'returnKey', 'showRecordId']);
      const answer = answererOf(context);
      const { docs } = runQuery(collectionOf(context), queryOf(context, args.filter));
      const single = args.singleBatch === true || numberOf(args.limit) < 0;
      return { cursor: cursors.first(namespaceOf(context), docs, answer, batchSizeOf(args), single) };
    },
  },
  aggregate: {
    fields: 'pipeline cursor hint let collation allowDiskUse bypassDocumentValidation explain',
    run(context) {
      const { args, cursors } = context;
      if (typeof args.aggregate !== 'string') notImplemented('an aggregation without a collection');
      if (args.explain === true) return explainPipeline(context, 'queryPlanner');
      if (!isDoc(args.cursor)) throw new CommandError('FailedToParse', "The 'cursor' option is required");
      const { query, rest, run, target } = split(context);
      const counting = countingGroup(rest);
      if (counting && !target) {
        const count = countQuery(collectionOf(context), query);
        const counted = count === 0 ? [] : [write({ _id: counting._id, [counting.field]: count })];
        return { cursor: cursors.first(namespaceOf(context), counted, (bytes) => bytes, batchSizeOf(args.cursor)) };
      }
      const { docs } = runQuery(collectionOf(context), query);
      const results =
        rest.length === 0 ? docs.map(({ bytes }) => bytes) : run(docs.map(({ doc }) => toPlain(doc) as Doc)).map(write);
      if (target) putOut(context, target, results);
      return {
        cursor: cursors.first(namespaceOf(context), target ? [] : results, (bytes) => bytes, batchSizeOf(args.cursor)),
      };
    },
  },
  getMore: {
    fields: 'collection batchSize',
    isWhole: false,
    run({ args, cursors, database }) {
      const id = Long.isLong(args.getMore) ? args.getMore : Long.fromNumber(numberOf(args.getMore));
      return { cursor: cursors.more(id, `${database}.${String(args.collection)}`, batchSizeOf(args)) };
    },
  },
  killCursors: {
    fields: 'cursors',
    isWhole: false,
    run({ args, cursors }) {
      const ids = (Array.isArray(args.cursors) ? args.cursors : []).filter((id) => Long.isLong(id));
      const { killed = [], missing = [] } = Object.groupBy(ids, (id) => (cursors.kill(id) ? 'killed' : 'missing'));
      return { cursorsKilled: killed, cursorsNotFound: missing, cursorsAlive: [], cursorsUnknown: [] };
    },
  },
  count: {
    fields: 'query limit skip hint fields collation',
    isWhole: false,
    run(context) {
      return { n: countQuery(collectionOf(context), queryOf(context, context.args.query)) };
    },
  },
  distinct: {
    fields: 'key query collation hint',
    isWhole: false,
    run(context) {
      const { key, query } = context.args;
      if (typeof key !== 'string' || key === '') throw new CommandError('BadValue', 'distinct needs a key');
      const values = new Map<string, unknown>();
      const collect = (value: unknown) => {
        for (const each of Array.isArray(value) ? value : value === undefined ? [] : [value]) {
          if (!values.has(keyOf(each))) values.set(keyOf(each), each);
        }
        return false;
      };
      for (const { doc } of runQuery(collectionOf(context), queryOf(context, query)).docs) {
        reaches(doc, key.split('.'), collect, false);
      }
      return { values: [...values.values()] };
    },
  },
  explain: { fields: 'verbosity', run: explain },
};
