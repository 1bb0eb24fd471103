import type { GetQueueLoadRequest, QueueLoad } from '@claude-cli/proto/platform/v1/queues';
import type { Context } from '../context.ts';

const minuteMs = 60_000;

/** How much there is to do, and how much was done in the last minute. A second old at most, so that many may ask often. */
export async function getQueueLoad(ctx: Context, _request: GetQueueLoadRequest): Promise<QueueLoad> {
  const { sizes, finished } = ctx.queues;
  const [tasks_per_minute, high, normal, low] = await Promise.all([
    finished.get('a minute', () => countFinished(ctx)),
    sizes.queued('high'),
    sizes.queued('normal'),
    sizes.queued('low'),
  ]);
  return { tasks_per_minute, high, normal, low };
}

/** Executions that were completed, failed or timed out in the minute before a time. */
export function countFinished({ executions }: Context, now = new Date()): Promise<number> {
  const minuteAgo = new Date(now.getTime() - minuteMs);
  // Named by what is left out, so that no index is tempted to begin with all that were ever completed.
  return executions.countDocuments({ finished_at: { $gt: minuteAgo }, status: { $ne: 'cancelled' } }).exec();
}
