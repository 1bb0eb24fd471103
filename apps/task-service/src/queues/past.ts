import type { Context } from '../context.ts';
import { fiveMinutes, floorTo, hour } from './rollups.ts';
import { type Slice, summarize } from './summarize.ts';

/** Longest time for which executions themselves are read when rollups are behind, in milliseconds. */
const mostLiveMs = 2 * hour * 1000;

/** What happened, as far back as was asked: rollups of hours, rollups of five minutes, and what is not rolled up yet. */
export interface Past {
  hours: Slice[];
  /** Of the last two hours. */
  fives: Slice[];
  /** From the end of the fives on, in slices of five minutes. */
  live: Slice[];
}

/** Read what happened since a time, which is the start of an hour. */
export async function readPast(ctx: Context, since: Date, now = new Date()): Promise<Past> {
  const { rollups } = ctx.queues;
  const recent = floorTo(now.getTime() - mostLiveMs, fiveMinutes);
  const read = (seconds: number, from: Date) =>
    rollups
      .find({ seconds, start: { $gte: from } }, { _id: 0, seconds: 1, start: 1, queues: 1 })
      .sort({ start: 1 })
      .lean<Slice[]>();
  const [hours, fives] = await Promise.all([read(hour, since), read(fiveMinutes, recent)]);
  const start = endOf(fives.at(-1)) ?? recent;
  // An end is written a moment after its time was taken, by a clock that may be ahead of ours.
  const end = new Date(now.getTime() + fiveMinutes * 1000);
  const live = await summarize(ctx.executions, { start, end, seconds: fiveMinutes });
  return { hours, fives, live };
}

/** Slices that cover the time since the start of an hour, each moment once: hours as far as they are there. */
export function coverByHours({ hours, fives, live }: Past, since: Date): Slice[] {
  const whole = hours.filter(({ start }) => start >= since);
  const from = endOf(whole.at(-1)) ?? since;
  return [...whole, ...[...fives, ...live].filter(({ start }) => start >= from)];
}

/** Slices of five minutes that cover the time since a start of one. Reaches back two hours at most. */
export function coverByMinutes({ fives, live }: Past, since: Date): Slice[] {
  return [...fives, ...live].filter(({ start }) => start >= since);
}

function endOf(slice: Slice | undefined): Date | undefined {
  return slice && new Date(slice.start.getTime() + slice.seconds * 1000);
}
