import { Context, evalExpr } from 'mingo/core';
import * as expressionOperators from 'mingo/operators/expression';
import type { ExpressionOperator, Options } from 'mingo/types';
import { accumulators, assertPlainNumber } from './accumulators.ts';
import { CommandError, notImplemented } from './errors.ts';
import { compare, equals } from './keys.ts';
import { orderOf, parseSort } from './sort.ts';
import { bsonTag, type Doc, isDoc, toPlain } from './values.ts';

type Evaluate = (doc: unknown, operand: unknown, options: Options) => unknown;

const mingo = expressionOperators as unknown as Record<string, Evaluate>;
const bad = (message: string) => new CommandError('BadValue', message);

/** Takes operators over from mingo, each in a form that is corrected where mingo differs from MongoDB. */
function trusted(list: string, correct = (evaluate: Evaluate) => evaluate): Record<string, Evaluate> {
  return Object.fromEntries(
    list.split(' ').map((name) => {
      if (!mingo[name]) throw new Error(`mingo has no ${name}`);
      return [name, correct(mingo[name])];
    }),
  );
}

/** For one operand, which may be written in an array. */
function unary(evaluate: Evaluate): Evaluate {
  return (doc, operand, options) =>
    evaluate(doc, Array.isArray(operand) && operand.length === 1 ? operand[0] : operand, options);
}

/** For dates: mingo fails on null or takes it for 1970, where MongoDB answers null. */
function dated(evaluate: Evaluate): Evaluate {
  return unary((doc, operand, options) => {
    const { date, startDate, endDate } = isDoc(operand) ? operand : ({} as Doc);
    const operands = [date, startDate, endDate].filter((each) => each !== undefined);
    const missing = (each: unknown) => (evalExpr(doc, each, options) ?? null) === null;
    return (operands.length > 0 ? operands : [operand]).some(missing) ? null : evaluate(doc, operand, options);
  });
}

/** Evaluates the operands first, and refuses numbers that JavaScript cannot hold. */
function numeric(evaluate: Evaluate): Evaluate {
  return (doc, operand, options) => {
    const values = evalExpr(doc, operand, options);
    for (const value of Array.isArray(values) ? values : [values]) assertPlainNumber(value);
    return evaluate(doc, values, options);
  };
}

/** An operator on the values of its operands. */
function ofValues(take: (values: unknown[]) => unknown, count?: number): Evaluate {
  return (doc, operands, options) => {
    const list = Array.isArray(operands) ? operands : [operands];
    if (count !== undefined && list.length !== count) throw bad(`an expression takes exactly ${count} arguments`);
    return take(list.map((operand) => evalExpr(doc, operand, options)));
  };
}

const comparison = (accepts: (order: number) => unknown) => ofValues(([a, b]) => accepts(compare(a, b)), 2);
const isTrue = (value: unknown) => ![false, null, undefined, 0].includes(value as null);

function ofArray(name: string, take: (values: unknown[]) => unknown): Evaluate {
  return ofValues(([values = null]) => {
    if (values === null && name !== '$size') return null;
    if (!Array.isArray(values)) throw bad(`The argument to ${name} must be an array`);
    return take(values);
  }, 1);
}

function accumulating(name: string): Evaluate {
  return (doc, operand, options) => {
    const value = evalExpr(doc, operand, options);
    return accumulators[name]?.(Array.isArray(value) ? value : [value]);
  };
}

function text(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (value instanceof Date) return value.toISOString();
  if (typeof value !== 'object' || /^(ObjectId|Long|Decimal128)$/.test(bsonTag(value) ?? '')) return String(value);
  throw bad(`can't convert to string: ${JSON.stringify(value)}`);
}

/** MongoDB changes the case of ASCII letters only. */
const upper = (value: unknown) => text(value).replace(/[a-z]+/g, (letters) => letters.toUpperCase());
const lower = (value: unknown) => text(value).replace(/[A-Z]+/g, (letters) => letters.toLowerCase());

/** The expression operators that this server has, by name: mingo's gave the documented answers when they were tried. */
const expressions: Record<string, Evaluate> = {
  ...trusted(
    '$arrayElemAt $arrayToObject $concatArrays $filter $indexOfArray $map $range $reduce $slice $zip $and $or $cond ' +
      '$ifNull $switch $literal $let $getField $setField $unsetField $setDifference $setEquals $setIntersection ' +
      '$setIsSubset $setUnion $allElementsTrue $anyElementTrue $concat $indexOfBytes $ltrim $rtrim $trim $regexFind ' +
      '$regexFindAll $regexMatch $replaceAll $replaceOne $split $substr $substrBytes $substrCP $rand $dateFromParts ' +
      '$dateFromString $dateToString $dateTrunc',
  ),
  ...trusted('$isArray $reverseArray $objectToArray $strLenBytes $strLenCP $isNumber $toDate', unary),
  ...trusted(
    '$dateAdd $dateSubtract $dateDiff $dayOfMonth $dayOfWeek $dayOfYear $hour $isoDayOfWeek $isoWeek $isoWeekYear ' +
      '$millisecond $minute $month $second $year',
    dated,
  ),
  ...trusted('$add $divide $log $mod $multiply $pow $subtract', numeric),
  ...trusted('$abs $ceil $exp $floor $ln $log10 $sqrt $toDouble $toInt $toLong', (each) => unary(numeric(each))),
  ...trusted('$round $trunc', (each) => (doc, operand, options) => {
    return numeric(each)(doc, Array.isArray(operand) ? operand : [operand], options);
  }),
  $cmp: comparison((order) => order),
  $eq: comparison((order) => order === 0),
  $ne: comparison((order) => order !== 0),
  $gt: comparison((order) => order > 0),
  $gte: comparison((order) => order >= 0),
  $lt: comparison((order) => order < 0),
  $lte: comparison((order) => order <= 0),
  $not: ofValues(([value]) => !isTrue(value), 1),
  $toBool: ofValues(([value = null]) => (value === null ? null : isTrue(value)), 1),
  $in: ofValues(([wanted, list]) => {
    if (!Array.isArray(list)) throw bad('$in requires an array as a second argument');
    return list.some((value) => equals(value, wanted));
  }, 2),
  $toString: ofValues(([value = null]) => (value === null ? null : text(value)), 1),
  $toUpper: ofValues(([value]) => upper(value), 1),
  $toLower: ofValues(([value]) => lower(value), 1),
  $strcasecmp: ofValues(([a, b]) => compare(upper(a), upper(b)), 2),
  $size: ofArray('$size', (values) => values.length),
  $first: ofArray('$first', (values) => values[0]),
  $last: ofArray('$last', (values) => values.at(-1)),
  $sortArray: (doc, operand, options) => {
    const { input, sortBy } = operand as Doc;
    const values = evalExpr(doc, input, options) ?? null;
    if (values === null) return null;
    if (!Array.isArray(values)) throw bad('$sortArray needs an array');
    if (isDoc(sortBy)) return orderOf(values, parseSort(sortBy) ?? {}, (value) => value);
    return values.toSorted((a, b) => Number(sortBy) * compare(a, b));
  },
  ...Object.fromEntries(['$sum', '$avg', '$min', '$max', '$mergeObjects'].map((name) => [name, accumulating(name)])),
};

const context = Context.init({
  expression: { ...expressions, $options: (_doc, _operand, options) => options } as Record<string, ExpressionOperator>,
});

/**
 * Checks an expression and makes a function of it, which takes documents with plain numbers.
 * @param variables what the expression knows as `$$name`
 * @throws CommandError InvalidPipelineOperator or NotImplemented for an operator that this server does not have
 */
export function compileExpression(expression: unknown, variables: Doc): (doc: unknown) => unknown {
  check(expression);
  const plain = toPlain(expression);
  // mingo copies all of its context when it is given mere options, so its own form of them is taken once.
  const options = evalExpr({}, { $options: 0 }, { context, variables, scriptEnabled: false } as unknown as Options) as {
    update(locals: Doc): Options;
  };
  return (doc) => evalExpr(doc, plain, options.update({ root: doc }));
}

function check(expression: unknown): void {
  if (Array.isArray(expression)) expression.forEach(check);
  if (typeof expression === 'string' && expression.startsWith('$')) {
    if (/^\$\$(CLUSTER_TIME|USER_ROLES|SEARCH_META)\b/.test(expression)) notImplemented(expression);
    if (/\.\d+(\.|$)/.test(expression)) notImplemented(`a number in the field path ${expression}`);
  }
  if (!isDoc(expression)) return;
  for (const [key, value] of Object.entries(expression)) {
    if (key === '$literal') return;
    if (key.startsWith('$') && !Object.hasOwn(expressions, key)) {
      if (key in mingo || Object.hasOwn(accumulators, key)) notImplemented(`the expression operator ${key}`);
      throw new CommandError('InvalidPipelineOperator', `Unrecognized expression '${key}'`);
    }
    check(value);
  }
}

/** The variables of a command's `let`, evaluated. */
export function variablesOf(let_: unknown): Doc {
  return isDoc(let_) ? (compileExpression(let_, {})({}) as Doc) : {};
}
