import type { Context } from '../context.ts';
import { endExecution } from './end-execution.ts';
import { nextAnnouncement } from './execution.ts';

const sweepLimit = 200;

/** Announce queued executions that are due: retries after their pause, and those whose message was lost. */
export async function announceDue(ctx: Context): Promise<void> {
  const now = new Date();
  const due = await ctx.executions
    .find({ status: 'queued', due_at: { $lte: now } })
    .sort({ due_at: 1 })
    .limit(sweepLimit)
    .lean();
  for (const { _id, priority, generation, due_at, announcements } of due) {
    // Of several replicas that see it due, the one that moves due_at announces it.
    const mine = await ctx.executions.updateOne(
      { _id, status: 'queued', due_at },
      { $set: { due_at: nextAnnouncement(announcements) }, $inc: { announcements: 1 } },
    );
    if (mine.modifiedCount === 0) continue;
    await ctx.bus.publishJob(priority, { execution_id: _id, generation });
  }
}

/** Fail runs whose runner gave no sign of life for a lease. */
export async function endExpired(ctx: Context): Promise<void> {
  const expired = await ctx.executions
    .find({ status: 'running', 'lease.expires_at': { $lt: new Date() } })
    .limit(sweepLimit)
    .lean();
  for (const execution of expired) {
    const { _id: execution_id, lease } = execution;
    ctx.log.warn({ execution_id, runner_id: lease?.runner_id }, 'the runner of an execution is lost');
    await endExecution(ctx, execution, { status: 'failed', exit_code: null, error: 'runner lost', result: null });
  }
}
