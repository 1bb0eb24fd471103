import type { Replay as ReplayMessage, StartReplayRequest } from '@claude-cli/proto/platform/v1/webhooks';
import { invalidField, PlatformError } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import { newId } from '@claude-cli/shared/ids';
import { isDuplicateKey } from '@claude-cli/shared/mongo';
import type { Context } from '../context.ts';
import type { DeliveryStatus } from '../deliveries/delivery.ts';
import { findWebhook } from '../webhooks/find-webhook.ts';
import { requireActive } from '../webhooks/webhook.ts';
import { maxReplayed, type Replay, replayKeptMs, toProto } from './replay.ts';

/** Begin to send the deliveries of a time again. Whichever replica is free does it; see run-replays.ts. */
export async function startReplay(ctx: Context, request: StartReplayRequest, call: Call): Promise<ReplayMessage> {
  const { webhook_id } = request;
  requireActive(await findWebhook(ctx, webhook_id, call));
  const now = new Date();
  const since = new Date(request.since ?? '');
  // What is created from now on is not meant, however long it takes to come to it.
  const until = new Date(Math.min(now.getTime(), Date.parse(request.until ?? now.toISOString())));
  if (since >= until) throw invalidField('since', 'must lie before until, and in the past');
  const statuses = (request.statuses.length > 0 ? [...new Set(request.statuses)] : ['failed']) as DeliveryStatus[];
  const matching = { webhook_id, status: { $in: statuses }, created_at: { $gte: since, $lt: until } };
  const count = await ctx.deliveries.countDocuments(matching, { limit: maxReplayed + 1 });
  const replay: Replay = {
    _id: newId(),
    webhook_id,
    requested_by: call.caller.user_id,
    since,
    until,
    statuses,
    status: 'running',
    total: Math.min(count, maxReplayed),
    truncated: count > maxReplayed,
    replayed: 0,
    after: null,
    batch: [],
    holder: null,
    claimable_at: now,
    created_at: now,
    finished_at: null,
    expires_at: new Date(now.getTime() + replayKeptMs),
  };
  await ctx.replays.create(replay).catch((error) => {
    if (!isDuplicateKey(error)) throw error;
    throw new PlatformError('RESOURCE_CONFLICT', 'A replay of this webhook is running', { webhook_id });
  });
  return toProto(replay);
}
