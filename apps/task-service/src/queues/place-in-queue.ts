import type { Context } from '../context.ts';
import type { Execution } from '../executions/execution.ts';

/** Finished runs whose mean duration predicts the next ones. */
const sampleSize = 20;

/** Where an execution stands in the order of service, and when its turn should come. */
export async function placeInQueue(
  ctx: Context,
  { _id, rank, queued_at }: Execution,
): Promise<{ position: number; estimatedStart: Date }> {
  const queued = { status: 'queued' as const };
  const [higher, earlier, running, recent] = await Promise.all([
    rank === 0 ? 0 : ctx.executions.countDocuments({ ...queued, rank: { $lt: rank } }),
    ctx.executions.countDocuments({ ...queued, rank, queued_at: { $lt: queued_at }, _id: { $ne: _id } }),
    ctx.executions.countDocuments({ status: 'running' }),
    recentRuns(ctx),
  ]);
  const ahead = higher + earlier;
  const meanMs = recent.length === 0 ? 0 : recent.reduce((sum, ms) => sum + ms, 0) / recent.length;
  // As many as run now are served at once, so each of them takes one of the waiting per mean duration.
  const waitMs = running === 0 ? 0 : (ahead + 1) * (meanMs / running);
  return { position: ahead + 1, estimatedStart: new Date(Date.now() + waitMs) };
}

async function recentRuns(ctx: Context): Promise<number[]> {
  const ended = await ctx.executions
    .find({ status: 'completed' }, { started_at: 1, finished_at: 1 })
    .sort({ finished_at: -1 })
    .limit(sampleSize)
    .lean();
  return ended.map(({ started_at, finished_at }) => (finished_at?.getTime() ?? 0) - (started_at?.getTime() ?? 0));
}
