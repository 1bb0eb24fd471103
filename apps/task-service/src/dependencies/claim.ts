import type { Context } from '../context.ts';
import type { DependencyClaim } from '../tasks/task.ts';

/** Age from which a claim counts as left by a crash, in milliseconds: far more than a change takes. */
const leftAfterMs = 30_000;

/** Whether a claim was left by a crash. */
export function isLeft({ at }: DependencyClaim): boolean {
  return at.getTime() < Date.now() - leftAfterMs;
}

/**
 * Write a claim into its task.
 * @returns false when there is another one, which is taken away if it was left
 */
export async function placeClaim(ctx: Context, task_id: string, claim: DependencyClaim): Promise<boolean> {
  const free = { _id: task_id, claimed_dependencies: null };
  const placed = await ctx.tasks.updateOne(free, { $set: { claimed_dependencies: claim } });
  if (placed.modifiedCount > 0) return true;
  const other = await ctx.tasks.findOne({ _id: task_id }, { claimed_dependencies: 1 }).lean();
  const present = other?.claimed_dependencies;
  if (present && isLeft(present)) await dropClaim(ctx, task_id, present.token);
  return false;
}

/**
 * Take a claim away. The task's version moves on, so that whoever is about to make the claim the dependencies is refused.
 * @returns false when it is not there any more: it may have become the dependencies
 */
export async function dropClaim(ctx: Context, task_id: string, token: string): Promise<boolean> {
  const claimed = { _id: task_id, 'claimed_dependencies.token': token };
  const dropped = await ctx.tasks.updateOne(claimed, { $set: { claimed_dependencies: null }, $inc: { version: 1 } });
  return dropped.modifiedCount > 0;
}
