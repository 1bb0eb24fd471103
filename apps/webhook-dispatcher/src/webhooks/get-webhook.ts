import type { GetWebhookRequest, Webhook as WebhookMessage } from '@claude-cli/proto/platform/v1/webhooks';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { findWebhook } from './find-webhook.ts';
import { toProto } from './webhook.ts';

/** One webhook. */
export async function getWebhook(ctx: Context, { webhook_id }: GetWebhookRequest, call: Call): Promise<WebhookMessage> {
  return toProto(await findWebhook(ctx, webhook_id, call));
}
