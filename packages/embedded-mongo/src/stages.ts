import { accumulators } from './accumulators.ts';
import { CommandError, notImplemented } from './errors.ts';
import { compileExpression } from './expressions.ts';
import { compileFilter } from './filter.ts';
import { keyOf } from './keys.ts';
import { compileProjection, withField } from './projection.ts';
import { orderOf, parseSort } from './sort.ts';
import { type Doc, field, isDoc, isOperators, numberOf } from './values.ts';

/** What a pipeline needs of the database around it. */
export interface Surroundings {
  /** Documents of another collection, with plain numbers, that match the filter. */
  find(collection: string, filter: Doc): Doc[];
  /** What expressions know as `$$name`. */
  readonly variables: Doc;
}

/** A checked pipeline, or a stage of one: a function of documents with plain numbers, which it does not change. */
export type Pipeline = (docs: readonly Doc[]) => readonly Doc[];

type Stage = (operand: unknown, around: Surroundings) => Pipeline;

const known = new Set(
  (
    '$bucket $bucketAuto $changeStream $collStats $currentOp $densify $documents $fill $geoNear $graphLookup $indexStats $merge ' +
    '$out $planCacheStats $redact $sample $search $setWindowFields $listSessions $unionWith $vectorSearch'
  ).split(' '),
);

const bad = (message: string) => new CommandError('BadValue', message);

function docOf(name: string, operand: unknown): Doc {
  if (!isDoc(operand) || Object.keys(operand).length === 0) throw bad(`${name} needs an object that is not empty`);
  return operand;
}

/**
 * Checks a pipeline.
 * @param only the stages that may be used, all when absent
 * @throws CommandError Location40324 for an unknown stage, NotImplemented for one that this server does not have
 */
export function compilePipeline(pipeline: unknown, around: Surroundings, only?: ReadonlySet<string>): Pipeline {
  const compiled = stagesOf(pipeline).map(([name, operand]) => {
    if (known.has(name)) notImplemented(`the stage ${name}`);
    const stage = Object.hasOwn(stages, name) ? stages[name] : undefined;
    if (!stage) throw new CommandError('Location40324', `Unrecognized pipeline stage name: '${name}'`);
    if (only && !only.has(name)) throw new CommandError('InvalidOptions', `${name} is not allowed to be used here`);
    return stage(operand, around);
  });
  return (docs) => compiled.reduce((input, stage) => stage(input), docs);
}

/** The names and operands of a pipeline's stages. @throws CommandError when it is malformed */
export function stagesOf(pipeline: unknown): [string, unknown][] {
  if (!Array.isArray(pipeline)) throw new CommandError('TypeMismatch', "'pipeline' option must be an array");
  return pipeline.map((spec) => {
    const [stage, ...others] = isDoc(spec) ? Object.entries(spec) : [];
    if (!stage || others.length > 0) throw bad('A pipeline stage specification object must contain exactly one field.');
    return stage;
  });
}

function count(name: string, least: number, take: (docs: readonly Doc[], n: number) => readonly Doc[]): Stage {
  return (operand) => {
    const n = numberOf(operand);
    if (!Number.isInteger(n) || n < least) throw bad(`invalid argument to ${name} stage`);
    return (docs) => take(docs, n);
  };
}

const replaceWith: Stage = (operand, { variables }) => {
  const compute = compileExpression(operand, variables);
  return (docs) =>
    docs.map((doc) => {
      const root = compute(doc);
      if (!isDoc(root)) throw bad("'newRoot' expression must evaluate to an object");
      return root;
    });
};

const addFields: Stage = (operand, { variables }) => {
  const fields = computedFields(docOf('$addFields', operand), variables);
  return (docs) =>
    docs.map((doc) => fields.reduce((out, [path, compute]) => withField(out, path, compute(doc)) as Doc, doc));
};

function computedFields(spec: Doc, variables: Doc, prefix = ''): [string[], (doc: Doc) => unknown][] {
  return Object.entries(spec).flatMap(([key, value]): [string[], (doc: Doc) => unknown][] => {
    if (key.startsWith('$') || key === '') throw bad(`FieldPath field names may not start with '$': ${key}`);
    if (isDoc(value) && Object.keys(value).length > 0 && !isOperators(value)) {
      return computedFields(value, variables, `${prefix}${key}.`);
    }
    return [[`${prefix}${key}`.split('.'), compileExpression(value, variables)]];
  });
}

/** Stages that say what others do. */
function composed(write: (operand: unknown) => unknown[]): Stage {
  return (operand, around) => compilePipeline(write(operand), around);
}

const stages: Record<string, Stage> = {
  $match: (operand, { variables }) => {
    // Documents with plain numbers have lost what type of number they had.
    if (JSON.stringify(operand)?.includes('"$type"')) notImplemented('$type after the first stage');
    const filter = compileFilter(operand, variables);
    return (docs) => docs.filter((doc) => filter.test(doc));
  },
  $sort: (operand) => {
    const sort = parseSort(operand);
    if (!sort) throw bad('$sort stage must have at least one sort key');
    return (docs) => orderOf(docs, sort, (doc) => doc);
  },
  $limit: count('$limit', 1, (docs, n) => docs.slice(0, n)),
  $skip: count('$skip', 0, (docs, n) => docs.slice(n)),
  $project: (operand, { variables }) => {
    const project = compileProjection(docOf('$project', operand), variables, false);
    return (docs) => docs.map(project);
  },
  $unset: composed((operand) => [{ $project: Object.fromEntries([operand].flat().map((path) => [path, 0])) }]),
  $addFields: addFields,
  $set: addFields,
  $replaceWith: replaceWith,
  $replaceRoot: (operand, around) => replaceWith(docOf('$replaceRoot', operand).newRoot, around),
  $count: composed((name) => {
    if (typeof name !== 'string' || name === '' || /^\$|\./.test(name)) throw bad('$count needs a field name');
    return [{ $group: { _id: null, [name]: { $sum: 1 } } }, { $project: { _id: 0 } }];
  }),
  $sortByCount: composed((_id) => [{ $group: { _id, count: { $sum: 1 } } }, { $sort: { count: -1 } }]),
  $facet: (operand, around) => {
    const facets = Object.entries(docOf('$facet', operand)).map(
      ([name, pipeline]) => [name, compilePipeline(pipeline, around)] as const,
    );
    return (docs) => [Object.fromEntries(facets.map(([name, run]) => [name, run(docs)]))];
  },
  $group: (operand, { variables }) => {
    const { _id: id, ...outputs } = docOf('$group', operand);
    if (id === undefined) throw bad('a group specification must include an _id');
    const idOf = compileExpression(id, variables);
    const accumulations = Object.entries(outputs).map(([name, value]) => {
      const [[operator = '', expression] = []] = isDoc(value) ? Object.entries(value) : [];
      const accumulate = Object.hasOwn(accumulators, operator) ? accumulators[operator] : undefined;
      if (!accumulate) notImplemented(`the accumulator ${operator}`);
      return { name, accumulate, compute: compileExpression(expression, variables) };
    });
    return (docs) => {
      const groups = new Map<string, { _id: unknown; members: Doc[] }>();
      for (const doc of docs) {
        const _id = withNulls(idOf(doc) ?? null);
        const key = keyOf(_id);
        const group = groups.get(key);
        if (group) group.members.push(doc);
        else groups.set(key, { _id, members: [doc] });
      }
      return [...groups.values()].map(({ _id, members }) => ({
        _id,
        ...Object.fromEntries(accumulations.map((each) => [each.name, each.accumulate(members.map(each.compute))])),
      }));
    };
  },
  $unwind: (operand) => {
    const {
      path,
      includeArrayIndex: index,
      preserveNullAndEmptyArrays: all,
    } = isDoc(operand) ? operand : { path: operand };
    if (typeof path !== 'string' || !path.startsWith('$'))
      throw bad("path option to $unwind must be prefixed with a '$'");
    const parts = path.slice(1).split('.');
    const numbered = (doc: unknown, i: number | null) =>
      (typeof index === 'string' ? withField(doc, index.split('.'), i) : doc) as Doc;
    return (docs) =>
      docs.flatMap((doc) => {
        const value = parts.reduce<unknown>((at, part) => (isDoc(at) ? field(at, part) : undefined), doc) ?? null;
        if (!Array.isArray(value)) return value !== null || all === true ? [numbered(doc, null)] : [];
        if (value.length > 0) return value.map((element, i) => numbered(withField(doc, parts, element), i));
        return all === true ? [numbered(withField(doc, parts, undefined), null)] : [];
      });
  },
  $lookup: (operand, around) => {
    const { from, localField, foreignField, as, pipeline = [], let: let_ = {} } = docOf('$lookup', operand);
    if (typeof from !== 'string' || typeof as !== 'string') throw bad('$lookup needs from and as');
    const joins = typeof localField === 'string' && typeof foreignField === 'string';
    if (!joins && (localField !== undefined || foreignField !== undefined || !(operand as Doc).pipeline)) {
      throw bad('$lookup requires both or neither of localField and foreignField, and one of them or a pipeline');
    }
    const localOf = compileExpression(joins ? `$${localField}` : null, around.variables);
    const variablesOf = compileExpression(let_, around.variables);
    compilePipeline(pipeline, around);
    return (docs) =>
      docs.map((doc) => {
        const found = around.find(from, joins ? { [foreignField]: { $in: [localOf(doc) ?? null].flat() } } : {});
        const variables = { ...around.variables, ...(variablesOf(doc) as Doc) };
        return withField(doc, as.split('.'), compilePipeline(pipeline, { ...around, variables })(found)) as Doc;
      });
  },
};

/** A missing field counts as null in a group's `_id`. */
function withNulls(id: unknown): unknown {
  if (!isDoc(id)) return id;
  return Object.fromEntries(Object.entries(id).map(([name, value]) => [name, withNulls(value ?? null)]));
}
