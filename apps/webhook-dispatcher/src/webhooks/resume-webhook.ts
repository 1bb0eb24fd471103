import type { ResumeWebhookRequest, Webhook as WebhookMessage } from '@claude-cli/proto/platform/v1/webhooks';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { changeWebhook } from './change-webhook.ts';
import { toProto } from './webhook.ts';

/** Deliver again, from now on, with a clean record. */
export async function resumeWebhook(
  ctx: Context,
  { webhook_id }: ResumeWebhookRequest,
  call: Call,
): Promise<WebhookMessage> {
  const webhook = await changeWebhook(ctx, webhook_id, call, ({ status }) => {
    if (status === 'active') return undefined;
    const set = { status: 'active', disabled_reason: null, inactive_since: null, failing_since: null } as const;
    return { set, changed_fields: ['status'] };
  });
  await ctx.dispatcher.forgive(webhook_id);
  return toProto(webhook);
}
