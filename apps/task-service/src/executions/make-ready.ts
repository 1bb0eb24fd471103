import type { Context } from '../context.ts';
import type { Execution } from './execution.ts';
import { nextPlace } from './fair-order.ts';
import { announce } from './tokens.ts';

/**
 * Let a queued execution wait for nothing but its turn, if it waits as it was read. One that had a place keeps it; one that was
 * not ready before is placed now, so that what becomes ready late does not pass everybody.
 * @returns whether it did
 */
export async function makeReady(ctx: Context, execution: Execution): Promise<boolean> {
  const { _id, project_id, priority, generation, waiting_for } = execution;
  const keepsPlace = waiting_for === 'project_limit' || waiting_for === 'agent_rate_limit';
  const place = keepsPlace ? {} : { fair_at: await nextPlace(ctx, project_id, priority) };
  const { modifiedCount } = await ctx.executions.updateOne(
    { _id, status: 'queued', generation, waiting_for },
    { $set: { ...place, waiting_for: 'turn', due_at: null }, $unset: { waits_on: 1 } },
  );
  if (modifiedCount === 0) return false;
  await announce(ctx, priority);
  return true;
}
