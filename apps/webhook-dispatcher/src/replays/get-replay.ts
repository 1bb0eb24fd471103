import type { GetReplayRequest, Replay as ReplayMessage } from '@claude-cli/proto/platform/v1/webhooks';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { findWebhook } from '../webhooks/find-webhook.ts';
import { type Replay, toProto } from './replay.ts';

/** How far a replay is. */
export async function getReplay(
  ctx: Context,
  { webhook_id, replay_id }: GetReplayRequest,
  call: Call,
): Promise<ReplayMessage> {
  await findWebhook(ctx, webhook_id, call);
  const replay = await ctx.replays.findOne({ _id: replay_id, webhook_id }).lean<Replay>();
  if (!replay) throw new PlatformError('RESOURCE_NOT_FOUND', 'The replay does not exist', { replay_id });
  return toProto(replay);
}
