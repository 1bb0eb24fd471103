import { setTimeout } from 'node:timers/promises';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Context } from '../context.ts';
import type { CountedTasks, ProjectUsage } from './project-usage.ts';

// Counting first and inserting then would let two at once exceed the limit. So every new task is reserved first, in one
// list of its project; then the tasks are counted. A task finds room when those that are stored, together with those that
// were reserved before it, are fewer than the limit. Of all that found room, the one reserved last has thus counted all
// the others, so they are never too many, whatever the order in which they are stored.
//
// Counting takes the longer the more tasks there are. So of a large project it is kept how many there were, and how many have
// been reserved by then: there can be no more now than those and all that were reserved since. Only when so many would not find
// room is counted anew; and after a minute, since replicas of earlier versions reserve without being counted.

/** Tasks from which a count is kept; room that has to be left for that, or else it would serve too few; and for how long, in ms. */
const kept = { from: 100, room: 20, forMs: 60_000 } as const;
/** How far ahead of ours the clock of another replica may be, in milliseconds. */
const aheadMs = 5_000;
/** Age from which a reservation counts as left by a crash, in milliseconds: far more than a creation takes. */
const leftAfterMs = 60_000;
/** How long those reserved before are waited for while they decide, and the pause between looks, in milliseconds. */
const recount = { forMs: 1_500, pauseMs: 25 };

/**
 * Create a task if the project may hold another one.
 * @param create stores the task
 * @throws PlatformError PROJECT_LIMIT_EXCEEDED, and create's
 */
export async function withTaskRoom<Result>(
  ctx: Context,
  { project_id, task_id, limit }: { project_id: string; task_id: string; limit: number },
  create: () => Promise<Result>,
): Promise<Result> {
  const reservation = { $push: { creating: { task_id, at: new Date() } }, $inc: { reserved: 1 } };
  const usage = await ctx.usage
    .findOneAndUpdate({ _id: project_id }, reservation, { upsert: true, returnDocument: 'after' })
    .lean();
  try {
    if (!hasRoomForSure(usage, limit)) await requireRoom(ctx, usage, limit);
    return await create();
  } finally {
    // What fails here is taken away by the sweep.
    await release(ctx, project_id, task_id).catch((err) => ctx.log.warn({ err, project_id }, 'a reservation is left'));
  }
}

/** Whether all that were reserved since the tasks were counted, this one among them, have room beside those. */
function hasRoomForSure({ counted, reserved = 0 }: ProjectUsage, limit: number): boolean {
  if (!counted) return false;
  const age = Date.now() - counted.at.getTime();
  return age > -aheadMs && age < kept.forMs && counted.tasks + reserved - counted.reserved <= limit;
}

async function requireRoom(ctx: Context, usage: ProjectUsage, limit: number): Promise<void> {
  const { _id: project_id, reserved = 0 } = usage;
  const at = new Date();
  const until = at.getTime() + recount.forMs;
  const earlier = usage.creating.map((each) => each.task_id).slice(0, -1);
  for (let undecided = earlier; ; undecided = await stillReserved(ctx, project_id, undecided)) {
    const held = await ctx.tasks.countDocuments({ project_id, deleted_at: null }, { limit });
    const tasks = held + undecided.length + 1;
    if (tasks <= limit) {
      if (held >= kept.from && limit - tasks >= kept.room) await keep(ctx, project_id, { tasks, reserved, at });
      return;
    }
    if (held >= limit || Date.now() > until) break;
    await setTimeout(recount.pauseMs);
  }
  throw new PlatformError('PROJECT_LIMIT_EXCEEDED', 'The project holds as many tasks as it may', { max_tasks: limit });
}

/** Of several that counted at the same time, the one reserved last knows most. */
async function keep({ usage }: Context, project_id: string, counted: CountedTasks): Promise<void> {
  const older = { _id: project_id, 'counted.reserved': { $not: { $gt: counted.reserved } } };
  await usage.updateOne(older, { $set: { counted } });
}

/** Read before the tasks are counted: whoever is gone from the list is either counted or was refused. */
async function stillReserved({ usage }: Context, project_id: string, task_ids: string[]): Promise<string[]> {
  const now = await usage.findOne({ _id: project_id }, { creating: 1 }).lean();
  const reserved = new Set(now?.creating.map(({ task_id }) => task_id));
  return task_ids.filter((id) => reserved.has(id));
}

async function release({ usage }: Context, project_id: string, task_id: string): Promise<void> {
  await usage.updateOne({ _id: project_id }, { $pull: { creating: { task_id } } });
}

/** Take away the reservations that a crash left. */
export async function releaseLeftReservations({ usage }: Context): Promise<void> {
  const left = { $lt: new Date(Date.now() - leftAfterMs) };
  await usage.updateMany({ 'creating.at': left }, { $pull: { creating: { at: left } } });
}
