import { setTimeout } from 'node:timers/promises';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Context } from '../context.ts';

// Counting first and inserting then would let two at once exceed the limit. So every new task is reserved first, in one
// list of its project; then the tasks are counted. A task finds room when those that are stored, together with those that
// were reserved before it, are fewer than the limit. Of all that found room, the one reserved last has thus counted all
// the others, so they are never too many, whatever the order in which they are stored.

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
  const reserved = { creating: { task_id, at: new Date() } };
  const usage = await ctx.usage
    .findOneAndUpdate({ _id: project_id }, { $push: reserved }, { upsert: true, returnDocument: 'after' })
    .lean();
  const earlier = usage.creating.map((each) => each.task_id).slice(0, -1);
  try {
    await requireRoom(ctx, project_id, earlier, limit);
    return await create();
  } finally {
    // What fails here is taken away by the sweep.
    await release(ctx, project_id, task_id).catch((err) => ctx.log.warn({ err, project_id }, 'a reservation is left'));
  }
}

async function requireRoom(ctx: Context, project_id: string, earlier: string[], limit: number): Promise<void> {
  const until = Date.now() + recount.forMs;
  for (let undecided = earlier; ; undecided = await stillReserved(ctx, project_id, undecided)) {
    const held = await ctx.tasks.countDocuments({ project_id, deleted_at: null }, { limit });
    if (held + undecided.length < limit) return;
    if (held >= limit || Date.now() > until) break;
    await setTimeout(recount.pauseMs);
  }
  throw new PlatformError('PROJECT_LIMIT_EXCEEDED', 'The project holds as many tasks as it may', { max_tasks: limit });
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
