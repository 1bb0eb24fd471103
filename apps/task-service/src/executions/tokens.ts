import { type Priority, priorities } from '@claude-cli/shared/amqp/topology';
import type { Context } from '../context.ts';
import { rankOf } from './execution.ts';

// The messages in the queue of a priority are tokens: as many as executions are ready, up to what wakes all runners. Where much is
// ready, answers to claims tell of the backlog, and slots ask on without tokens. Both numbers are compared once per second, by one
// replica. What lacked the last time and lacks now is not just under way: its token was lost, or taken while the queue was paused.
// One token too many is brought by a runner, finds nothing to run, and is gone; many, which a backlog leaves behind, are dropped.

/** Tokens of a priority that are enough, however much of it is ready: as many as make an autoscaler start all runners that it may. */
export const enough = 1_000;
/** So many ready executions are a backlog: more than the first slots that ask will take, and far fewer than there are tokens for. */
export const backlogFrom = 20;
/**
 * Tokens are too many when they are so many times as many as is ready, and some: fewer are brought and asked for. Those that are sent
 * anew while a backlog is worked off are together no more than it had.
 */
const surplus = { times: 2, and: 20 };

/** How long a comparison stands, and how far ahead of ours a clock may be, in milliseconds. */
const counted = { forMs: 900, aheadMs: 5_000 };

/** Have something of a priority run that has become ready: by a slot that waits here, or else by whoever takes the token. Never throws. */
export async function announce(ctx: Context, priority: Priority): Promise<void> {
  if (await ctx.vacancies.handOver(ctx, priority)) return;
  const isNeeded = await needsToken(ctx, priority).catch(() => true);
  if (isNeeded) await sendTokens(ctx, priority);
}

/** Whether what has become ready needs a token of its own. Those before it have one, or are a backlog. */
export async function needsToken({ queues }: Context, priority: Priority): Promise<boolean> {
  return (await queues.sizes.ready(priority)) <= enough;
}

/** Priorities of which so much is ready that slots need no tokens to ask for it. Never throws. */
export async function backlogs({ queues }: Context): Promise<Priority[]> {
  const sizes = Promise.all(priorities.map((priority) => queues.sizes.ready(priority)));
  const ready = await sizes.catch(() => []);
  return priorities.filter((_, n) => Number(ready[n] ?? 0) >= backlogFrom);
}

/**
 * Announce that something of a priority may run, so often as is enough. Never throws: a token that cannot be sent is found to be
 * lacking.
 */
export async function sendTokens(ctx: Context, priority: Priority, count = 1): Promise<void> {
  const tokens = Array.from({ length: Math.min(enough, Math.max(0, count)) }, () => ctx.bus.publishJob(priority));
  const refused = (await Promise.allSettled(tokens)).find(({ status }) => status === 'rejected');
  if (!refused) return;
  ctx.log.warn({ err: (refused as PromiseRejectedResult).reason, priority }, 'ready executions wait for their token');
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
  const countReady = () => ctx.executions.countDocuments(ready, { limit: ctx.config.QUEUE_LIMIT }).exec();
  const [executions, tokens] = await Promise.all([countReady(), ctx.bus.countJobs(priority)]);
  if (tokens >= surplus.times * executions + surplus.and) {
    await ctx.bus.dropJobs(priority);
    // Counted after that: what was ready before has lost its token, what is ready later has one.
    return sendTokens(ctx, priority, await countReady());
  }
  const lacking = Math.max(0, executions - tokens);
  const lost = Math.min(lacking, clock.lacking);
  let unannounced = lost;
  while (unannounced > 0 && (await ctx.vacancies.handOver(ctx, priority))) unannounced--;
  await sendTokens(ctx, priority, Math.min(unannounced, enough - tokens));
  const left = lacking - lost;
  if (left !== clock.lacking) await ctx.fair.clocks.updateOne({ _id: priority }, { $set: { lacking: left } });
}
