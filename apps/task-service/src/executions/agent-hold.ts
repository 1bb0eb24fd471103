import type { Context } from '../context.ts';

/** How long agent work is held when nobody knows until when, and at most, in milliseconds. */
const holds = { unknownMs: 30_000, mostMs: 8 * 24 * 3_600_000 };

/**
 * Let executions of the agent wait until its rate limit is over. They are no longer in the order of their priority, so that
 * shell work goes on.
 * @param until when it is over, where that is known
 */
export async function holdAgents({ executions }: Context, ids: string[], until: Date | undefined): Promise<void> {
  const now = Date.now();
  const over = until?.getTime() ?? now + holds.unknownMs;
  const due_at = new Date(Math.min(Math.max(over, now), now + holds.mostMs));
  await executions.updateMany(
    { _id: { $in: ids }, status: 'queued', waiting_for: 'turn' },
    { $set: { waiting_for: 'agent_rate_limit', due_at } },
  );
}
