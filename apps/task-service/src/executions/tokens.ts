import { type Priority, priorities } from '@claude-cli/shared/amqp/topology';
import type { Context } from '../context.ts';
import { rankOf } from './execution.ts';

// The messages in the queue of a priority are tokens: as many as executions are ready. Both numbers are compared once per
// second, by one replica. What lacked the last time and lacks now is not just under way: its token was lost, or taken while
// the queue was paused. One token too many is brought by a runner, finds nothing to run, and is gone.

/** How long a comparison stands, and how far ahead of ours a clock may be, in milliseconds. */
const counted = { forMs: 900, aheadMs: 5_000 };
/** Tokens that are sent at once. */
const batch = 500;

/** Have something of a priority run that has become ready: by a slot that waits here, or else by whoever takes the token. Never throws. */
export async function announce(ctx: Context, priority: Priority, count = 1): Promise<void> {
  let left = count;
  while (left > 0 && (await ctx.vacancies.handOver(ctx, priority))) left--;
  await sendTokens(ctx, priority, left);
}

/** Announce that something of a priority may run. Never throws: a token that cannot be sent is found to be lacking. */
export async function sendTokens(ctx: Context, priority: Priority, count = 1): Promise<void> {
  for (let left = count; left > 0; left -= batch) {
    const tokens = Array.from({ length: Math.min(left, batch) }, () => ctx.bus.publishJob(priority));
    const refused = (await Promise.allSettled(tokens)).find(({ status }) => status === 'rejected');
    if (!refused) continue;
    ctx.log.warn({ err: (refused as PromiseRejectedResult).reason, priority }, 'ready executions wait for their token');
    return;
  }
}

/** Send the tokens that lack in the queues that are not paused. */
export async function announceLacking(ctx: Context): Promise<void> {
  if (!ctx.bus.connected) return;
  const states = await ctx.queues.states.find({ _id: { $in: priorities }, paused: true }, { _id: 1 }).lean();
  const paused = new Set(states.map(({ _id }) => _id));
  for (const priority of priorities) if (!paused.has(priority)) await announceLackingOf(ctx, priority);
}

/** Let the next comparison send all that lacks at once, because the queue goes on after a pause. */
export async function announceSoon({ fair, config }: Context, priority: Priority): Promise<void> {
  const lacking = { lacking: config.QUEUE_LIMIT, counted_at: new Date(0) };
  await fair.clocks.updateOne({ _id: priority }, { $set: lacking });
}

async function announceLackingOf(ctx: Context, priority: Priority): Promise<void> {
  const now = Date.now();
  const stale = { $lt: new Date(now - counted.forMs) };
  const wrong = { $gt: new Date(now + counted.aheadMs) };
  const clock = await ctx.fair.clocks
    .findOneAndUpdate(
      { _id: priority, $or: [{ counted_at: stale }, { counted_at: wrong }] },
      { $set: { counted_at: new Date(now) } },
      { returnDocument: 'before' },
    )
    .lean();
  if (!clock) return;
  const ready = { status: 'queued' as const, rank: rankOf(priority), waiting_for: 'turn' as const };
  const [executions, tokens] = await Promise.all([
    ctx.executions.countDocuments(ready, { limit: ctx.config.QUEUE_LIMIT }),
    ctx.bus.countJobs(priority),
  ]);
  const lacking = Math.max(0, executions - tokens);
  const lost = Math.min(lacking, clock.lacking);
  await announce(ctx, priority, lost);
  const left = lacking - lost;
  if (left !== clock.lacking) await ctx.fair.clocks.updateOne({ _id: priority }, { $set: { lacking: left } });
}
