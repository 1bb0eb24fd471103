import type { PipelineStage } from 'mongoose';
import type { Context } from '../context.ts';
import { quarterMs } from './days.ts';

/** A project and a stretch of time, both ends included. */
export interface Span {
  project_id: string;
  from: Date;
  to: Date;
}

/** How many of something fell into the quarter of an hour that begins at an instant. */
export interface QuarterCount {
  _id: Date;
  count: number;
}

/** Tasks of one person that were created in the time. */
export interface CreatedFigures {
  _id: string;
  count: number;
}

/** Tasks of one person that ended in the time, and how. */
export interface EndedFigures {
  _id: { person: string; status: string };
  count: number;
  /** Those that were created in the time, too. */
  also_created: number;
  /** From creation to end, summed, in milliseconds. */
  age_ms: number;
  /** Those with a duration, and their durations summed, in milliseconds. */
  timed: number;
  duration_ms: number;
  /** Those with a duration and an estimate, and those of them that took no longer. */
  estimated: number;
  on_time: number;
}

type Time = 'created_at' | 'completed_at';

/** Who a task is counted for. */
const person = { $ifNull: ['$assigned_to', '$created_by'] };
const one = (condition: unknown) => ({ $sum: { $cond: [condition, 1, 0] } });
const isNumber = (field: string) => ({ $gt: [field, null] });

/** The tasks that were created, or ended, in the time: a range of an index. */
export function inSpan({ project_id, from, to }: Span, time: Time) {
  return { project_id, deleted_at: null, [time]: { $gte: from, $lte: to } };
}

/** How many tasks were created, or completed, in each quarter of an hour: days of any time zone can be made of these. */
export function countByQuarter(ctx: Context, span: Span, time: Time): Promise<QuarterCount[]> {
  const completed = time === 'completed_at' ? { status: 'completed' } : {};
  const quarter = { $dateTrunc: { date: `$${time}`, unit: 'minute', binSize: quarterMs / 60_000 } };
  return ctx.tasks.aggregate<QuarterCount>([
    { $match: { ...inSpan(span, time), ...completed } },
    { $group: { _id: quarter, count: { $sum: 1 } } },
  ]);
}

/** By person, the tasks created in the time. */
export function createdByPerson(ctx: Context, span: Span): Promise<CreatedFigures[]> {
  return ctx.tasks.aggregate<CreatedFigures>([
    { $match: inSpan(span, 'created_at') },
    { $group: { _id: person, count: { $sum: 1 } } },
  ]);
}

/** By person and status, the tasks that ended in the time. */
export function endedByPerson(ctx: Context, span: Span): Promise<EndedFigures[]> {
  const timed = isNumber('$actual_duration_ms');
  const estimated = { $and: [timed, isNumber('$estimated_duration_ms')] };
  const onTime = { $and: [estimated, { $lte: ['$actual_duration_ms', '$estimated_duration_ms'] }] };
  const group: PipelineStage.Group['$group'] = {
    _id: { person, status: '$status' },
    count: { $sum: 1 },
    also_created: one({ $gte: ['$created_at', span.from] }),
    age_ms: { $sum: { $subtract: ['$completed_at', '$created_at'] } },
    timed: one(timed),
    duration_ms: { $sum: '$actual_duration_ms' },
    estimated: one(estimated),
    on_time: one(onTime),
  };
  return ctx.tasks.aggregate<EndedFigures>([{ $match: inSpan(span, 'completed_at') }, { $group: group }]);
}

/** The tasks that were completed in the time and have a duration: a range of an index that is in the order of durations. */
export function timedIn(span: Span) {
  return { ...inSpan(span, 'completed_at'), status: 'completed' as const, actual_duration_ms: { $gte: 0 } };
}

/**
 * The median of the durations, in milliseconds; undefined without any. An index has them in order, so that only the one or
 * two in the middle are loaded, however many there are.
 * @param timed how many there are
 */
export async function medianDuration(ctx: Context, span: Span, timed: number): Promise<number | undefined> {
  if (timed === 0) return undefined;
  const isOdd = timed % 2 === 1;
  const middle = await ctx.tasks
    .find(timedIn(span), { _id: 0, actual_duration_ms: 1 })
    .sort({ actual_duration_ms: 1 })
    .skip(Math.ceil(timed / 2) - 1)
    .limit(isOdd ? 1 : 2)
    .lean();
  const sum = middle.reduce((total, { actual_duration_ms }) => total + (actual_duration_ms ?? 0), 0);
  return middle.length === 0 ? undefined : sum / middle.length;
}
