import { Context, evalExpr } from 'mingo/core';
import * as expressionOperators from 'mingo/operators/expression';
import { $expr } from 'mingo/operators/query/evaluation';
import { $and, $nor, $or } from 'mingo/operators/query/logical';
import type { ExpressionOperator, Options } from 'mingo/types';
import { accumulate, accumulators } from './accumulators.ts';
import { CommandError, notImplemented } from './errors.ts';
import { queryOperators } from './filter-operators.ts';
import { compare, equals } from './order.ts';
import { orderOf, type SortSpec } from './sort.ts';
import { bsonTag, type Doc, isDoc, toPlain } from './values.ts';

type Evaluate = (doc: unknown, expression: unknown, options: Options) => unknown;

/** mingo's operators that gave the documented answers when they were tried; others are refused, not guessed. */
const trusted =
  '$arrayElemAt $arrayToObject $concatArrays $filter $indexOfArray $map $range $reduce $slice $zip $and $or $cond ' +
  '$ifNull $switch $literal $let $getField $setField $unsetField $setDifference $setEquals $setIntersection ' +
  '$setIsSubset $setUnion $allElementsTrue $anyElementTrue $concat $indexOfBytes $ltrim $rtrim $trim $regexFind ' +
  '$regexFindAll $regexMatch $replaceAll $replaceOne $split $substr $substrBytes $substrCP $rand $dateFromParts ' +
  '$dateFromString $dateToString $dateTrunc';
/** The same, and they take one operand, which may be written in an array. */
const trustedUnary = '$isArray $reverseArray $objectToArray $strLenBytes $strLenCP $isNumber $toDate';
/** Those of dates: mingo fails on null or takes it for 1970, where MongoDB answers null. */
const dates =
  '$dateAdd $dateSubtract $dateDiff $dayOfMonth $dayOfWeek $dayOfYear $hour $isoDayOfWeek $isoWeek $isoWeekYear ' +
  '$millisecond $minute $month $second $year';
/** Arithmetic: mingo knows JavaScript numbers only. */
const arithmetic = '$add $divide $log $mod $multiply $pow $subtract';
const arithmeticUnary = '$abs $ceil $exp $floor $ln $log10 $sqrt $toDouble $toInt $toLong';
const rounding = '$round $trunc';

const mingo = expressionOperators as unknown as Record<string, Evaluate>;
const names = (list: string) => list.split(' ');
const original = (name: string): Evaluate => {
  const operator = mingo[name];
  if (!operator) throw new Error(`mingo has no ${name}`);
  return operator;
};

function unary(evaluate: Evaluate): Evaluate {
  return (doc, operand, options) =>
    evaluate(doc, Array.isArray(operand) && operand.length === 1 ? operand[0] : operand, options);
}

function rounded(evaluate: Evaluate): Evaluate {
  return (doc, operand, options) => evaluate(doc, Array.isArray(operand) ? operand : [operand], options);
}

function dated(evaluate: Evaluate): Evaluate {
  return unary((doc, operand, options) => {
    const { date, startDate, endDate } = isDoc(operand) ? operand : ({} as Doc);
    const operands = [date, startDate, endDate].filter((each) => each !== undefined);
    const missing = (each: unknown) => (evalExpr(doc, each, options) ?? null) === null;
    return (operands.length > 0 ? operands : [operand]).some(missing) ? null : evaluate(doc, operand, options);
  });
}

function text(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  if (value instanceof Date) return value.toISOString();
  throw new CommandError('BadValue', `can't convert to string: ${JSON.stringify(value)}`);
}

/** MongoDB changes the case of ASCII letters only. */
const upper = (value: unknown) => text(value).replace(/[a-z]+/g, (letters) => letters.toUpperCase());
const lower = (value: unknown) => text(value).replace(/[A-Z]+/g, (letters) => letters.toLowerCase());

function ofArray(name: string, take: (values: unknown[]) => unknown): Evaluate {
  return unary((doc, operand, options) => {
    const values = evalExpr(doc, operand, options) ?? null;
    if (values === null && name !== '$size') return null;
    if (!Array.isArray(values)) throw new CommandError('BadValue', `The argument to ${name} must be an array`);
    return take(values);
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

/** @throws CommandError NotImplemented for a Decimal128, or a Long outside the safe integers */
export function assertPlainNumber(value: unknown): void {
  const tag = bsonTag(value);
  if (tag === 'Long' || tag === 'Decimal128') notImplemented(`arithmetic on ${tag} in aggregation`);
}

function comparison(accepts: (order: number) => unknown): Evaluate {
  return (doc, operands, options) => {
    if (!Array.isArray(operands) || operands.length !== 2) {
      throw new CommandError('BadValue', 'a comparison expression takes exactly 2 arguments');
    }
    return accepts(compare(evalExpr(doc, operands[0], options), evalExpr(doc, operands[1], options)));
  };
}

const isTrue = (value: unknown) => value !== false && value !== null && value !== undefined && value !== 0;

const own: Record<string, Evaluate> = {
  $cmp: comparison(Math.sign),
  $eq: comparison((order) => order === 0),
  $ne: comparison((order) => order !== 0),
  $gt: comparison((order) => order > 0),
  $gte: comparison((order) => order >= 0),
  $lt: comparison((order) => order < 0),
  $lte: comparison((order) => order <= 0),
  $not: unary((doc, operand, options) => !isTrue(evalExpr(doc, operand, options))),
  $toBool: unary((doc, operand, options) => {
    const value = evalExpr(doc, operand, options) ?? null;
    return value === null ? null : isTrue(value);
  }),
  $in: (doc, operands, options) => {
    const [wanted, list] = evalExpr(doc, operands, options) as unknown[];
    if (!Array.isArray(list)) throw new CommandError('BadValue', '$in requires an array as a second argument');
    return list.some((value) => equals(value, wanted));
  },
  $toString: unary((doc, operand, options) => {
    const value = evalExpr(doc, operand, options) ?? null;
    if (value === null || typeof value === 'string') return value;
    if (value instanceof Date) return value.toISOString();
    if (typeof value === 'boolean' || typeof value === 'number') return String(value);
    if (['ObjectId', 'Long', 'Decimal128'].includes(bsonTag(value) ?? '')) return String(value);
    throw new CommandError('BadValue', '$toString: unsupported conversion');
  }),
  $toUpper: unary((doc, operand, options) => upper(evalExpr(doc, operand, options))),
  $toLower: unary((doc, operand, options) => lower(evalExpr(doc, operand, options))),
  $strcasecmp: (doc, operands, options) => {
    const [a, b] = (evalExpr(doc, operands, options) as unknown[]).map(upper);
    return Math.sign(compare(a, b));
  },
  $size: ofArray('$size', (values) => values.length),
  $first: ofArray('$first', (values) => values[0]),
  $last: ofArray('$last', (values) => values.at(-1)),
  $mergeObjects: (doc, operands, options) => {
    const values = evalExpr(doc, operands, options);
    return accumulate('$mergeObjects', Array.isArray(values) ? values : [values]);
  },
  $sortArray: (doc, operand, options) => {
    const { input, sortBy } = operand as { input: unknown; sortBy: unknown };
    const values = evalExpr(doc, input, options) ?? null;
    if (values === null) return null;
    if (!Array.isArray(values)) throw new CommandError('BadValue', '$sortArray needs an array');
    if (isDoc(sortBy)) return orderOf(values, sortBy as SortSpec, (value) => value);
    return values.slice().sort((a, b) => Number(sortBy) * compare(a, b));
  },
};
for (const name of ['$sum', '$avg', '$min', '$max']) {
  own[name] = (doc, operand, options) => {
    const value = evalExpr(doc, operand, options);
    const values = Array.isArray(value) ? value : [value];
    return accumulate(name, values);
  };
}

/** The expression operators that this server has, by name. */
export const expressions: Record<string, Evaluate> = {
  ...Object.fromEntries(names(trusted).map((name) => [name, original(name)])),
  ...Object.fromEntries(names(trustedUnary).map((name) => [name, unary(original(name))])),
  ...Object.fromEntries(names(dates).map((name) => [name, dated(original(name))])),
  ...Object.fromEntries(names(rounding).map((name) => [name, rounded(numeric(original(name)))])),
  ...Object.fromEntries(names(arithmetic).map((name) => [name, numeric(original(name))])),
  ...Object.fromEntries(names(arithmeticUnary).map((name) => [name, unary(numeric(original(name)))])),
  ...own,
};

/** What mingo may use: its registry with our operators in place of those that differ from MongoDB. */
export const context = Context.init({
  expression: expressions as unknown as Record<`$${string}`, ExpressionOperator>,
  query: { $and, $or, $nor, $expr, ...queryOperators },
});

/** Evaluates an aggregation expression on a document in plain form. Prefer the options that a mingo stage was given. */
export function evaluate(doc: Doc, expression: unknown, options: Partial<Options>): unknown {
  return evalExpr(doc, expression, options as Options);
}

/** @throws CommandError InvalidPipelineOperator when an expression uses an operator that this server does not have */
export function checkExpression(expression: unknown): void {
  if (Array.isArray(expression)) {
    for (const part of expression) checkExpression(part);
    return;
  }
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
    checkExpression(value);
  }
}

/** The variables of a command's `let`, evaluated. */
export function variablesOf(let_: unknown): Doc {
  if (!isDoc(let_)) return {};
  checkExpression(let_);
  return evaluate({}, toPlain(let_), { context }) as Doc;
}
