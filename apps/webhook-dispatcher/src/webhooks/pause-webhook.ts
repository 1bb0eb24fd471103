import type { PauseWebhookRequest, Webhook as WebhookMessage } from '@claude-cli/proto/platform/v1/webhooks';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { cancelWaiting } from '../deliveries/cancel-waiting.ts';
import { changeWebhook } from './change-webhook.ts';
import { toProto } from './webhook.ts';

/** Send nothing until it is resumed. What waits is cancelled; should this process die first, by the dispatcher that comes to it. */
export async function pauseWebhook(
  ctx: Context,
  { webhook_id }: PauseWebhookRequest,
  call: Call,
): Promise<WebhookMessage> {
  const webhook = await changeWebhook(ctx, webhook_id, call, ({ status }) => {
    if (status !== 'active') return undefined;
    return { set: { status: 'paused', inactive_since: new Date() }, changed_fields: ['status'] };
  });
  if (webhook.status === 'paused') await cancelWaiting(ctx, webhook_id, 'paused');
  return toProto(webhook);
}
