import { isOutage } from '@claude-cli/shared/amqp/retries';
import { PlatformError } from '@claude-cli/shared/errors';
import { newId } from '@claude-cli/shared/ids';
import { inParallel } from '@claude-cli/shared/in-parallel';
import { inSpan } from '@claude-cli/shared/telemetry/tracing';
import type { Context } from '../context.ts';
import type { Task } from '../tasks/task.ts';
import { queueScheduled } from './queue-scheduled.ts';
import { nextRun, type PendingRun, type StoredSchedule } from './schedule.ts';

// A time of a schedule is taken by one update that moves next_run_at on and notes the run as pending, under the id that its
// execution will have. The replica that made that update queues it and then removes the note. A note that stays belongs to
// a replica that died or to a service that was away: it is queued again, under the same id, so the run is there once.

/** Tasks that are read at once, how many of those are dealt with at once, and how often in one sweep. */
const batch = { size: 100, width: 8, most: 20 };
/** Age up to which a time is run late, in milliseconds; an older one is missed. */
const graceMs = 60_000;
/** Age of a note from which it counts as left, in milliseconds: longer than queueing takes. */
const leftAfterMs = 15_000;

type ScheduledTask = Pick<Task, '_id' | 'version' | 'deleted_at'> & { schedule: StoredSchedule };

/** Queue the tasks whose time has come. Every replica does so, again and again. */
export async function runDue(ctx: Context, now = new Date()): Promise<void> {
  const filters = [
    { 'schedule.next_run_at': { $lte: now } },
    { 'schedule.pending.claimed_at': { $lte: new Date(now.getTime() - leftAfterMs) } },
  ] as const;
  for (const filter of filters) {
    for (let count = 0; count < batch.most; count++) {
      const due = await ctx.tasks.find(filter, { schedule: 1, version: 1, deleted_at: 1 }).limit(batch.size).lean();
      await inParallel(due as ScheduledTask[], batch.width, (task) => runOne(ctx, task, now));
      if (due.length < batch.size) break;
    }
  }
}

async function runOne(ctx: Context, task: ScheduledTask, now: Date): Promise<void> {
  try {
    const pending = await take(ctx, task, now);
    if (pending) await run(ctx, task, pending, now);
  } catch (err) {
    ctx.log.warn({ err, task_id: task._id }, 'a scheduled run is tried again');
  }
}

/** @returns the run that is this replica's to queue; undefined when there is none, or another one has it */
async function take(ctx: Context, task: ScheduledTask, now: Date): Promise<PendingRun | undefined> {
  const { _id, version, deleted_at, schedule } = task;
  const { next_run_at, pending } = schedule;
  const due_at = next_run_at !== null && next_run_at <= now ? next_run_at : undefined;
  const isLate = due_at !== undefined && now.getTime() - due_at.getTime() > graceMs;
  const taken: PendingRun | undefined =
    due_at === undefined
      ? pending && { ...pending, claimed_at: now }
      : { execution_id: newId(), due_at, claimed_at: now };
  const update = deleted_at
    ? { $set: { 'schedule.next_run_at': null }, $unset: { 'schedule.pending': 1 } }
    : {
        $set: {
          ...(due_at && { 'schedule.next_run_at': nextRun(schedule, now) }),
          // The next time has come before the one that is pending could be queued.
          ...(due_at && pending && missed(pending.due_at, 'SCHEDULE_LATE')),
          ...(isLate && missed(due_at, 'SCHEDULE_LATE')),
          ...(!isLate && { 'schedule.pending': taken }),
        },
        ...(isLate && { $unset: { 'schedule.pending': 1 } }),
      };
  // By its version: whoever changes the task at the same moment may have given it another schedule.
  const { modifiedCount } = await ctx.tasks.updateOne({ _id, version }, { ...update, $inc: { version: 1 } });
  if (isLate && modifiedCount > 0) ctx.log.warn({ task_id: _id, due_at }, 'a scheduled run came too late');
  return modifiedCount > 0 && !deleted_at && !isLate ? taken : undefined;
}

async function run(ctx: Context, { _id, schedule }: ScheduledTask, pending: PendingRun, now: Date): Promise<void> {
  const { execution_id, due_at } = pending;
  const reason =
    now.getTime() - due_at.getTime() > graceMs ? 'SCHEDULE_LATE' : await refusal(ctx, _id, schedule, pending);
  // Another schedule may have taken its place meanwhile.
  const mine = { _id, 'schedule.pending.execution_id': execution_id };
  const note = reason === undefined ? {} : { $set: missed(due_at, reason) };
  await ctx.tasks.updateOne(mine, { ...note, $unset: { 'schedule.pending': 1 } });
  if (reason !== undefined) ctx.log.info({ task_id: _id, due_at, reason }, 'a scheduled run was missed');
}

/** @returns the code of the error for which the run was refused; undefined when it is queued. @throws what may pass */
async function refusal(
  ctx: Context,
  task_id: string,
  schedule: StoredSchedule,
  { execution_id }: PendingRun,
): Promise<string | undefined> {
  try {
    await inSpan('run schedule', { root: true, links: [schedule.traceparent] }, () =>
      queueScheduled(ctx, task_id, schedule, execution_id),
    );
    return undefined;
  } catch (thrown) {
    const error = PlatformError.from(thrown);
    // An earlier attempt came as far as that before it died.
    if (await ctx.executions.exists({ _id: execution_id })) return undefined;
    if (error.isFault || isOutage(error)) throw thrown;
    return error.code;
  }
}

function missed(missed_at: Date, missed_reason: string) {
  return { 'schedule.missed_at': missed_at, 'schedule.missed_reason': missed_reason };
}
