import { CommandError, notImplemented } from '../errors.ts';
import { compileFilter } from '../filter.ts';
import { explainQuery, type Query, runQuery } from '../query.ts';
import type { Reply } from '../reply.ts';
import { parseSort } from '../sort.ts';
import { aggregate, checkPipeline, readsOnly, type Surroundings } from '../stages.ts';
import type { Stored } from '../stored.ts';
import { type Doc, isDoc, numberOf, readPlain, toPlain, writeResult } from '../values.ts';
import { type Command, type CommandContext, checkCollation, countArgument, surroundings } from './command.ts';
import { sourceOf } from './find.ts';
import { prepared } from './write.ts';

/** The leading stages of a pipeline as a query that indexes can answer, and the stages that remain. */
function split(pipeline: readonly Doc[], hint: unknown, around: Surroundings): { query: Query; rest: readonly Doc[] } {
  let at = 0;
  const next = (name: string): unknown => {
    const operand = pipeline[at]?.[name];
    if (operand !== undefined) at += 1;
    return operand;
  };
  const matches: unknown[] = [];
  for (let match = next('$match'); match !== undefined; match = next('$match')) matches.push(match);
  const filter = compileFilter(
    matches.length === 1 ? matches[0] : matches.length === 0 ? {} : { $and: matches },
    around.variables,
  );
  const sort = parseSort(next('$sort'));
  const skip = numberOf(next('$skip') ?? 0);
  const limit = numberOf(next('$limit') ?? 0);
  if (
    !Number.isInteger(skip) ||
    skip < 0 ||
    !Number.isInteger(limit) ||
    limit < 0 ||
    Object.is(pipeline[at - 1]?.$limit, 0)
  ) {
    throw new CommandError('BadValue', 'invalid argument to $skip or $limit stage');
  }
  return { query: { filter, sort, skip, limit, hint }, rest: pipeline.slice(at) };
}

/** What explain answers for a pipeline. */
export function explainedPipeline(context: CommandContext, verbosity: string): Reply {
  const { query, rest } = split(
    checkPipeline(toPlain(context.args.pipeline)),
    context.args.hint,
    surroundings(context),
  );
  const plan = explainQuery(sourceOf(context), query, false, verbosity);
  return rest.length === 0 ? plan : { stages: [{ $cursor: plan }, ...rest] };
}

/** Takes a `$out` off the end of the pipeline. @throws CommandError */
function splitOut(context: CommandContext): { pipeline: Doc[]; target?: string } {
  const stages = toPlain(context.args.pipeline) as unknown[];
  const last = Array.isArray(stages) ? stages.at(-1) : undefined;
  if (!isDoc(last) || !Object.hasOwn(last, '$out')) return { pipeline: checkPipeline(stages) };
  const out = isDoc(last.$out) ? last.$out : { db: context.database, coll: last.$out };
  return { pipeline: checkPipeline(stages.slice(0, -1)), target: `${String(out.db)}.${String(out.coll)}` };
}

/** Puts the results in the place of a collection's documents; its indexes stay. */
function putOut(context: CommandContext, target: string, results: readonly Uint8Array[]): void {
  const collection = context.store.ensure(target, context.changes);
  for (const doc of [...collection.docs.values()]) collection.remove(doc, context.changes);
  for (const bytes of results) collection.insert(prepared(bytes), context.changes);
}

/** The command that runs a pipeline. */
export const aggregateCommands: Record<string, Command> = {
  aggregate: {
    fields: 'pipeline cursor hint let collation allowDiskUse bypassDocumentValidation explain',
    run(context) {
      const { args, cursors } = context;
      checkCollation(args.collation);
      if (typeof args.aggregate !== 'string') notImplemented('an aggregation without a collection');
      if (args.explain === true) return explainedPipeline(context, 'queryPlanner');
      if (!isDoc(args.cursor)) throw new CommandError('FailedToParse', "The 'cursor' option is required");
      const around = surroundings(context);
      const { pipeline, target } = splitOut(context);
      const { query, rest } = split(pipeline, args.hint, around);
      const source = sourceOf(context);
      const { docs } = runQuery(source, query);
      const batchSize = countArgument(args.cursor.batchSize, 'batchSize');
      const copies = () => docs.map((doc) => readPlain(doc.bytes));
      const run = () =>
        aggregate(readsOnly(rest) ? docs.map((doc) => doc.plain) : copies(), rest, around).map(writeResult);
      if (target !== undefined) {
        putOut(context, target, rest.length === 0 ? docs.map((doc) => doc.bytes) : run());
        return { cursor: cursors.first(source.namespace, [], writeResult, batchSize) };
      }
      if (rest.length === 0)
        return { cursor: cursors.first(source.namespace, docs, (doc: Stored) => doc.bytes, batchSize) };
      return { cursor: cursors.first(source.namespace, run(), (bytes) => bytes, batchSize) };
    },
  },
};
