import { priorities } from '@claude-cli/shared/amqp/topology';
import { isDuplicateKey } from '@claude-cli/shared/mongo';
import { type Connection, type Model, Schema } from 'mongoose';
import type { Context } from '../context.ts';
import { rankOf } from '../executions/execution.ts';
import { type Slice, summarize } from './summarize.ts';

// What happened is summed up once per five minutes and once per hour, so that a question about 30 days reads some hundred
// documents however many executions there were. A rollup is computed from the executions themselves, never counted up:
// computing it twice, or on two replicas, gives the same document, and what a crash left out is computed later.
//
//   hours ───────────────────────────▶│ five minutes ────────────▶│ executions ──▶ now
//   (kept for 32 days)                (kept for a day)             (not rolled up yet)

/** A slice that is over. */
export interface Rollup extends Slice {
  /** Length and start: "300:2026-01-01T00:00:00.000Z". */
  _id: string;
  expires_at: Date;
}

/** Rollups. */
export type RollupModel = Model<Rollup>;

/** Lengths of rollups, in seconds. */
export const fiveMinutes = 300;
/** See fiveMinutes. */
export const hour = 3_600;

/** Back to when rollups are made, and how long they are kept, in milliseconds. */
const spans = {
  [fiveMinutes]: { backMs: 2 * hour * 1000, keptMs: 24 * hour * 1000 },
  [hour]: { backMs: 31 * 24 * hour * 1000, keptMs: 32 * 24 * hour * 1000 },
};
/** How long after its end a slice is rolled up, in milliseconds: an end is written a moment after its time was taken. */
const settledMs = 30_000;
/** Slices that one run makes at most. */
const batch = 100;

const schema = new Schema<Rollup>(
  {
    _id: { type: String, required: true },
    seconds: { type: Number, required: true },
    start: { type: Date, required: true },
    queues: { type: Schema.Types.Mixed, required: true },
    expires_at: { type: Date, required: true },
  },
  { collection: 'queue_rollups', versionKey: false, minimize: false },
);
schema.index({ seconds: 1, start: 1 });
schema.index({ expires_at: 1 }, { expireAfterSeconds: 0 });

/** The rollups of a database. */
export function rollupModel(connection: Connection): RollupModel {
  return connection.model<Rollup>('QueueRollup', schema);
}

/** The start of the stretch of so many seconds, counted from midnight UTC, in which a time lies. */
export function floorTo(time: Date | number, seconds: number): Date {
  const length = seconds * 1000;
  return new Date(Math.floor(Number(time) / length) * length);
}

/** Make the rollups that are due. */
export async function rollUp(ctx: Context, now = new Date()): Promise<void> {
  for (const seconds of [fiveMinutes, hour] as const) await rollUpSlices(ctx, seconds, now);
}

async function rollUpSlices(ctx: Context, seconds: typeof fiveMinutes | typeof hour, now: Date): Promise<void> {
  const { rollups } = ctx.queues;
  const start = await firstMissing(ctx, seconds, now);
  const last = floorTo(now.getTime() - settledMs, seconds).getTime();
  for (let n = 0, at = start.getTime(); n < batch && at < last; n++, at += seconds * 1000) {
    const span = { start: new Date(at), end: new Date(at + seconds * 1000), seconds };
    const [slice] = await summarize(ctx.executions, span);
    if (!slice) return;
    const expires_at = new Date(at + spans[seconds].keptMs);
    const rollup = { ...slice, expires_at };
    await rollups
      .updateOne({ _id: `${seconds}:${slice.start.toISOString()}` }, { $set: rollup }, { upsert: true })
      .catch((error) => {
        // Another replica made the same one.
        if (!isDuplicateKey(error)) throw error;
      });
  }
}

/** They are made without gaps, so the first that is missing follows the latest one. */
async function firstMissing(ctx: Context, seconds: typeof fiveMinutes | typeof hour, now: Date): Promise<Date> {
  const earliest = floorTo(now.getTime() - spans[seconds].backMs, seconds);
  const latest = await ctx.queues.rollups.findOne({ seconds }, { start: 1 }).sort({ start: -1 }).lean();
  const next = latest ? new Date(latest.start.getTime() + seconds * 1000) : await firstUse(ctx, seconds, now);
  return new Date(Math.max(Number(next), Number(earliest)));
}

/** The slice in which anything was queued for the first time; the present one when nothing was. */
async function firstUse({ executions }: Context, seconds: number, now: Date): Promise<Date> {
  const firsts = await Promise.all(
    priorities.map((priority) =>
      executions
        .findOne({ rank: rankOf(priority) }, { queued_at: 1 })
        .sort({ queued_at: 1 })
        .lean(),
    ),
  );
  const times = firsts.flatMap((first) => (first ? [first.queued_at.getTime()] : []));
  return floorTo(Math.min(now.getTime(), ...times), seconds);
}
