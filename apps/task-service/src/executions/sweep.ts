import { type Priority, priorities } from '@claude-cli/shared/amqp/topology';
import type { Context } from '../context.ts';
import { endExecution } from './end-execution.ts';
import { type Execution, nextAnnouncement, rankOf } from './execution.ts';

const sweepLimit = 200;
/** Batches of one queue that one sweep announces: together with the limit, more than wait in a queue by default. */
const maxBatches = 60;

/**
 * Announce queued executions that are due: retries after their pause, those whose message was lost, and those that were
 * held back while their queue was paused. What waits in a paused queue is left alone.
 */
export async function announceDue(ctx: Context): Promise<void> {
  // Otherwise each would be put off for longer and longer without having been announced.
  if (!ctx.bus.connected) return;
  const states = await ctx.queues.states.find({ _id: { $in: priorities }, paused: true }, { _id: 1 }).lean();
  const paused = new Set(states.map(({ _id }) => _id));
  for (const priority of priorities) if (!paused.has(priority)) await announceDueOf(ctx, priority);
}

async function announceDueOf(ctx: Context, priority: Priority): Promise<void> {
  for (let batch = 0; batch < maxBatches; batch++) {
    const due = await ctx.executions
      .find({ status: 'queued', rank: rankOf(priority), due_at: { $lte: new Date() } })
      .sort({ due_at: 1 })
      .limit(sweepLimit)
      .lean();
    const mine = await Promise.all(due.map((execution) => putOff(ctx, execution)));
    // Messages of one channel arrive in the order in which they were sent.
    const sent = due.map(async ({ _id, generation }, index) => {
      if (mine[index]) await ctx.bus.publishJob(priority, { execution_id: _id, generation });
    });
    await Promise.all(sent);
    if (due.length < sweepLimit) return;
  }
}

/** Of several replicas that see it due, the one that moves due_at announces it. */
async function putOff(ctx: Context, { _id, due_at, announcements, generation }: Execution): Promise<boolean> {
  const { modifiedCount } = await ctx.executions.updateOne(
    { _id, status: 'queued', due_at, generation },
    { $set: { due_at: nextAnnouncement(announcements) }, $inc: { announcements: 1 } },
  );
  return modifiedCount > 0;
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
