import { newId } from '@claude-cli/shared/ids';
import type { Context } from '../context.ts';
import { type Delivery, rearmed } from '../deliveries/delivery.ts';
import { maxReplayed, type Replay, type ReplayStatus } from './replay.ts';

/** Deliveries that are made pending at once. */
const batchSize = 100;
/** How long a replay is left to the process that holds it, without a sign of life, in milliseconds. */
const leaseMs = 30_000;

/** Go on with replays that no process holds until none is left. */
export async function runReplays(ctx: Context): Promise<void> {
  for (;;) {
    const replay = await claim(ctx);
    if (!replay) return;
    await run(ctx, replay);
  }
}

function claim({ replays }: Context): Promise<Replay | null> {
  const now = new Date();
  return replays
    .findOneAndUpdate(
      { status: 'running', claimable_at: { $lte: now } },
      { $set: { holder: newId(), claimable_at: new Date(now.getTime() + leaseMs) } },
      { sort: { claimable_at: 1 }, returnDocument: 'after' },
    )
    .lean<Replay>();
}

async function run(ctx: Context, claimed: Replay): Promise<void> {
  let replay: Replay | null = claimed;
  while (replay) {
    const { webhook_id } = replay;
    const active = await ctx.webhooks.exists({ _id: webhook_id, status: 'active', deleted_at: null });
    if (!active) return end(ctx, replay, 'cancelled');
    const batch: string[] = replay.batch.length > 0 ? replay.batch : await nextBatch(ctx, replay);
    if (batch.length === 0) return end(ctx, replay, 'completed');
    const noted: Replay | null = await write(ctx, replay, { batch });
    if (!noted) return;
    replay = await replayBatch(ctx, noted);
  }
}

async function nextBatch(ctx: Context, replay: Replay): Promise<string[]> {
  const limit = Math.min(batchSize, maxReplayed - replay.replayed);
  if (limit <= 0) return [];
  const found = await batchQuery(ctx, replay, limit);
  return found.map(({ _id }) => _id);
}

/** The query for the deliveries that come next. */
export function batchQuery({ deliveries }: Pick<Context, 'deliveries'>, replay: Replay, limit: number) {
  const { webhook_id, statuses, since, until, after } = replay;
  const beyond = after && {
    $or: [{ created_at: { $gt: after.created_at } }, { created_at: after.created_at, _id: { $gt: after._id } }],
  };
  return deliveries
    .find(
      {
        webhook_id,
        status: { $in: statuses },
        created_at: { $gte: after ? after.created_at : since, $lt: until },
        ...beyond,
      },
      { _id: 1 },
    )
    .sort({ created_at: 1, _id: 1 })
    .limit(limit)
    .lean<Pick<Delivery, '_id'>[]>();
}

/** @returns the replay after it; null when another process has it now */
async function replayBatch(ctx: Context, replay: Replay): Promise<Replay | null> {
  const { _id: replay_id, batch, statuses } = replay;
  const { $set, $max } = rearmed(new Date());
  await ctx.deliveries.updateMany(
    { _id: { $in: batch }, status: { $in: statuses }, replay_id: { $ne: replay_id } },
    { $set: { ...$set, replay_id }, $max },
  );
  const found = await ctx.deliveries.find({ _id: { $in: batch } }).lean<Delivery[]>();
  const sent = found.filter((delivery) => delivery.replay_id === replay_id);
  await ctx.handOver(sent.filter(({ status }) => status === 'pending'));
  const ordered = found.toSorted((a, b) => a.created_at.getTime() - b.created_at.getTime() || (a._id < b._id ? -1 : 1));
  const last = ordered.at(-1);
  const after = last ? { created_at: last.created_at, _id: last._id } : replay.after;
  return write(ctx, replay, { batch: [], after, replayed: replay.replayed + sent.length });
}

/** Change a replay that this process holds, and hold it on. */
function write({ replays }: Context, { _id, holder }: Replay, set: Partial<Replay>): Promise<Replay | null> {
  const claimable_at = new Date(Date.now() + leaseMs);
  return replays
    .findOneAndUpdate(
      { _id, holder, status: 'running' },
      { $set: { claimable_at, ...set } },
      { returnDocument: 'after' },
    )
    .lean<Replay>();
}

async function end(ctx: Context, replay: Replay, status: ReplayStatus): Promise<void> {
  await write(ctx, replay, { status, finished_at: new Date(), batch: [] });
}
