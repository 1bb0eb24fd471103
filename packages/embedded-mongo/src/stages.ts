import { Aggregator } from 'mingo/aggregator';
import { Context, evalExpr } from 'mingo/core';
import type { Iterator } from 'mingo/lazy';
import { Lazy } from 'mingo/lazy';
import { $facet, $limit, $replaceRoot, $replaceWith, $skip, $unionWith } from 'mingo/operators/pipeline';
import type { Options, PipelineOperator } from 'mingo/types';
import { accumulate, accumulators } from './accumulators.ts';
import { CommandError, notImplemented } from './errors.ts';
import { checkExpression, context } from './expressions.ts';
import { compileFilter } from './filter.ts';
import { compare, keyOf } from './order.ts';
import { compileProjection, withField } from './projection.ts';
import { orderOf, parseSort } from './sort.ts';
import { type Doc, field, isDoc, numberOf } from './values.ts';

/** What a pipeline needs of the database around it. */
export interface Surroundings {
  /** Fresh plain documents of another collection that match the filter. */
  find(collection: string, filter: Doc): Doc[];
  /** What expressions know as `$$name`. */
  readonly variables: Doc;
}

type Stage = (input: Iterator, spec: never, options: Options) => Iterator;
const known =
  '$bucketAuto $changeStream $collStats $currentOp $densify $documents $fill $geoNear $graphLookup $indexStats $merge $out ' +
  '$planCacheStats $redact $sample $search $setWindowFields $listSessions $vectorSearch';

const bad = (message: string) => new CommandError('BadValue', message);

const stages: Record<string, Stage> = {
  $match: (input, spec: Doc, options) => {
    const filter = compileFilter(spec, options.variables as Doc);
    if (filter.exact) notImplemented('$type of a certain number type after the first stage');
    return input.filter((doc: unknown) => filter.test(doc as Doc));
  },
  $sort: (input, spec: Doc) => {
    const sort = parseSort(spec);
    if (!sort) throw bad('$sort stage must have at least one sort key');
    return input.transform(((docs: unknown[]) => Lazy(orderOf(docs, sort, (doc) => doc))) as never);
  },
  $group: (input, spec: Doc, options) =>
    input.transform(((docs: unknown[]) => Lazy(group(docs as Doc[], spec, options))) as never),
  $sortByCount: (input, expression: unknown, options) => {
    checkExpression(expression);
    return run(input, [{ $group: { _id: expression, count: { $sum: 1 } } }, { $sort: { count: -1 } }], options);
  },
  $count: (input, name: unknown) => {
    if (typeof name !== 'string' || name === '' || /^\$|\./.test(name)) throw bad('$count needs a field name');
    return input.transform(((docs: unknown[]) => Lazy(docs.length === 0 ? [] : [{ [name]: docs.length }])) as never);
  },
  $bucket: (input, spec: Doc, options) =>
    input.transform(((docs: unknown[]) => Lazy(bucket(docs as Doc[], spec, options))) as never),
  $unwind: (input, spec: unknown) => input.transform(((docs: unknown[]) => Lazy(unwind(docs as Doc[], spec))) as never),
  $project: (input, spec: Doc, options) => {
    if (!isDoc(spec) || Object.keys(spec).length === 0) throw bad('$project must have at least one field');
    const project = compileProjection(spec, (doc, expression) => evalExpr(doc, expression, options), false);
    return input.map((doc: unknown) => project(doc as Doc, () => doc as Doc));
  },
  $unset: (input, spec: string | string[], options) => {
    const paths = Array.isArray(spec) ? spec : [spec];
    return stage('$project')(input, Object.fromEntries(paths.map((path) => [path, 0])) as never, options);
  },
  $addFields: (input, spec: Doc, options) => {
    if (!isDoc(spec)) throw bad('$addFields specification stage must be an object');
    const fields = computedFields(spec);
    return input.map((doc: unknown) => {
      let out = doc;
      for (const [path, expression] of fields)
        out = withField(out, path.split('.'), evalExpr(doc, expression, options));
      return out;
    });
  },
  $limit: checkedCount('$limit', 1, $limit as unknown as Stage),
  $skip: checkedCount('$skip', 0, $skip as unknown as Stage),
  $replaceRoot: checkedExpression($replaceRoot as unknown as Stage),
  $replaceWith: checkedExpression($replaceWith as unknown as Stage),
  $facet: $facet as unknown as Stage,
  $unionWith: $unionWith as unknown as Stage,
};
stages.$set = stage('$addFields');

/** The stages that neither change nor pass on parts of their input, so stored documents may be given to them. */
const reading = new Set('$match $sort $group $sortByCount $count $bucket $limit $skip'.split(' '));

/** True when the pipeline may be given documents that must not be changed. */
export function readsOnly(pipeline: readonly Doc[]): boolean {
  return pipeline.every((spec) => reading.has(Object.keys(spec)[0] ?? ''));
}

/**
 * Checks the form of a pipeline, also of those within `$facet`, `$lookup` and `$unionWith`.
 * @throws CommandError Location40324 for an unknown stage, NotImplemented for one that this server does not have
 */
export function checkPipeline(pipeline: unknown, only?: ReadonlySet<string>): Doc[] {
  if (!Array.isArray(pipeline)) throw new CommandError('TypeMismatch', "'pipeline' option must be an array");
  return pipeline.map((spec: unknown) => {
    const [name, operand, extra] = isDoc(spec)
      ? [Object.keys(spec)[0], Object.values(spec)[0], Object.keys(spec)[1]]
      : [];
    if (name === undefined || extra !== undefined) {
      throw new CommandError('BadValue', 'A pipeline stage specification object must contain exactly one field.');
    }
    if (known.split(' ').includes(name)) notImplemented(`the stage ${name}`);
    if (name !== '$lookup' && !Object.hasOwn(stages, name)) {
      throw new CommandError('Location40324', `Unrecognized pipeline stage name: '${name}'`);
    }
    if (only && !only.has(name)) throw new CommandError('InvalidOptions', `${name} is not allowed to be used here`);
    if (name === '$facet') for (const inner of Object.values(operand as Doc)) checkPipeline(inner);
    if ((name === '$lookup' || name === '$unionWith') && isDoc(operand) && operand.pipeline)
      checkPipeline(operand.pipeline);
    return spec as Doc;
  });
}

/** Runs a checked pipeline on plain documents, which it may change unless `readsOnly` said that it does not. */
export function aggregate(docs: readonly Doc[], pipeline: readonly Doc[], around: Surroundings): Doc[] {
  if (pipeline.length === 0) return docs as Doc[];
  const pipelineOperators = { ...stages, $lookup: lookup(around) } as unknown as Record<string, PipelineOperator>;
  const aggregator = new Aggregator(pipeline as Doc[], {
    context: Context.from(context).addPipelineOps(pipelineOperators),
    variables: around.variables,
    collectionResolver: (name: string) => around.find(name, {}),
    scriptEnabled: false,
  });
  return aggregator.run(docs as Doc[]) as Doc[];
}

function stage(name: string): Stage {
  return stages[name] as Stage;
}

function run(input: Iterator, pipeline: readonly Doc[], options: Options): Iterator {
  return pipeline.reduce((docs, spec) => {
    const [name = '', operand] = Object.entries(spec)[0] ?? [];
    return stage(name)(docs, operand as never, options);
  }, input);
}

function checkedCount(name: string, least: number, next: Stage): Stage {
  return (input, spec, options) => {
    const count = numberOf(spec);
    if (!Number.isInteger(count) || count < least) throw bad(`invalid argument to ${name} stage`);
    return next(input, count as never, options);
  };
}

function checkedExpression(next: Stage): Stage {
  return (input, spec, options) => {
    checkExpression(spec);
    return next(input, spec, options);
  };
}

function computedFields(spec: Doc, prefix = ''): [string, unknown][] {
  return Object.entries(spec).flatMap(([key, value]): [string, unknown][] => {
    if (key.startsWith('$') || key === '') throw bad(`FieldPath field names may not start with '$': ${key}`);
    if (isDoc(value) && Object.keys(value).length > 0 && !Object.keys(value)[0]?.startsWith('$')) {
      return computedFields(value, `${prefix}${key}.`);
    }
    checkExpression(value);
    return [[prefix + key, value]];
  });
}

function accumulations(spec: Doc): (readonly [string, string, unknown])[] {
  return Object.entries(spec).map(([name, value]) => {
    const [operator, expression] =
      isDoc(value) && Object.keys(value).length === 1 ? (Object.entries(value)[0] ?? []) : [];
    if (operator === undefined) throw bad(`The field '${name}' must be an accumulator object`);
    if (!Object.hasOwn(accumulators, operator)) notImplemented(`the accumulator ${operator}`);
    checkExpression(expression);
    return [name, operator, expression] as const;
  });
}

function summarize(docs: readonly Doc[], outputs: ReturnType<typeof accumulations>, options: Options): Doc {
  return Object.fromEntries(
    outputs.map(([name, operator, expression]) => [
      name,
      accumulate(
        operator,
        docs.map((doc) => evalExpr(doc, expression, options)),
      ),
    ]),
  );
}

function group(docs: readonly Doc[], spec: Doc, options: Options): Doc[] {
  if (!isDoc(spec) || !Object.hasOwn(spec, '_id')) throw bad('a group specification must include an _id');
  const { _id: idExpression, ...rest } = spec;
  checkExpression(idExpression);
  const outputs = accumulations(rest);
  const groups = new Map<string, { _id: unknown; docs: Doc[] }>();
  for (const doc of docs) {
    const _id = withNulls(evalExpr(doc, idExpression, options) ?? null);
    const key = keyOf(_id);
    const found = groups.get(key);
    if (found) found.docs.push(doc);
    else groups.set(key, { _id, docs: [doc] });
  }
  return [...groups.values()].map((each) => ({ _id: each._id, ...summarize(each.docs, outputs, options) }));
}

/** A missing field counts as null in a group's `_id`. */
function withNulls(id: unknown): unknown {
  if (!isDoc(id)) return id;
  return Object.fromEntries(Object.entries(id).map(([name, value]) => [name, withNulls(value ?? null)]));
}

function bucket(docs: readonly Doc[], spec: Doc, options: Options): Doc[] {
  const { groupBy, boundaries, default: other, output = { count: { $sum: 1 } } } = spec;
  const bounds = Array.isArray(boundaries) ? boundaries.map((bound) => evalExpr({}, bound, options)) : [];
  if (bounds.length < 2 || bounds.some((bound, i) => i > 0 && compare(bounds[i - 1], bound) >= 0)) {
    throw bad("The 'boundaries' of $bucket must be at least 2 values in ascending order");
  }
  checkExpression(groupBy);
  const outputs = accumulations(output as Doc);
  const buckets = new Map<unknown, Doc[]>(bounds.slice(0, -1).map((bound) => [bound, []]));
  const rest: Doc[] = [];
  for (const doc of docs) {
    const value = evalExpr(doc, groupBy, options) ?? null;
    const at = bounds.findIndex((bound) => compare(value, bound) < 0);
    if (at > 0) buckets.get(bounds[at - 1])?.push(doc);
    else if (other === undefined)
      throw bad('$bucket could not find a matching branch for an input, and no default was given');
    else rest.push(doc);
  }
  if (rest.length > 0) buckets.set(other, rest);
  const found = [...buckets].filter(([, members]) => members.length > 0).sort(([a], [b]) => compare(a, b));
  return found.map(([_id, members]) => ({ _id, ...summarize(members, outputs, options) }));
}

function unwind(docs: readonly Doc[], spec: unknown): Doc[] {
  const { path, includeArrayIndex, preserveNullAndEmptyArrays } = (isDoc(spec) ? spec : { path: spec }) as Doc;
  if (typeof path !== 'string' || !path.startsWith('$'))
    throw bad("path option to $unwind must be prefixed with a '$'");
  const parts = path.slice(1).split('.');
  const out: Doc[] = [];
  const push = (doc: unknown, index: number | null): void => {
    out.push(
      (typeof includeArrayIndex === 'string' ? withField(doc, includeArrayIndex.split('.'), index) : doc) as Doc,
    );
  };
  for (const doc of docs) {
    const value = parts.reduce<unknown>((at, part) => (isDoc(at) ? field(at, part) : undefined), doc);
    if (Array.isArray(value) && value.length > 0) {
      value.forEach((element, index) => {
        push(withField(doc, parts, element), index);
      });
    } else if (value !== null && value !== undefined && !Array.isArray(value)) push(doc, null);
    else if (preserveNullAndEmptyArrays === true)
      push(Array.isArray(value) ? withField(doc, parts, undefined) : doc, null);
  }
  return out;
}

function lookup(around: Surroundings): Stage {
  return (input, spec: Doc, options) => {
    const { from, localField, foreignField, as, pipeline, let: let_ } = spec;
    if (typeof from !== 'string' || typeof as !== 'string') throw bad('$lookup needs from and as');
    if (typeof localField !== typeof foreignField || (localField === undefined && pipeline === undefined)) {
      throw bad('$lookup requires both or neither of localField and foreignField, and one of them or a pipeline');
    }
    checkExpression(let_);
    return input.map((doc: unknown) => {
      const filter: Doc = {};
      if (typeof localField === 'string' && typeof foreignField === 'string') {
        const local = evalExpr(doc, `$${localField}`, options) ?? null;
        const wanted = Array.isArray(local) ? local : [local];
        filter[foreignField] = wanted.length === 1 ? { $eq: wanted[0] } : { $in: wanted };
      }
      const variables = { ...options.variables, ...(let_ ? (evalExpr(doc, let_, options) as Doc) : {}) };
      const found = around.find(from, filter);
      return withField(
        doc,
        as.split('.'),
        aggregate(found, (pipeline as Doc[] | undefined) ?? [], { ...around, variables }),
      );
    });
  };
}
