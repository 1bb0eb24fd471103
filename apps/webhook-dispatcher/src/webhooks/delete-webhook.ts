import type { DeleteWebhookRequest, DeleteWebhookResponse } from '@claude-cli/proto/platform/v1/webhooks';
import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import { guardedUpdate } from '@claude-cli/shared/guarded-update';
import type { Context } from '../context.ts';
import { cancelWaiting } from '../deliveries/cancel-waiting.ts';
import { findWebhook } from './find-webhook.ts';
import { factsOf, type Webhook, webhookNotFound } from './webhook.ts';

/** Delete a webhook softly: its record stays, its secrets do not. */
export async function deleteWebhook(
  ctx: Context,
  { webhook_id }: DeleteWebhookRequest,
  call: Call,
): Promise<DeleteWebhookResponse> {
  await findWebhook(ctx, webhook_id, call);
  const { user_id, session_id } = call.caller;
  const { document } = await guardedUpdate<Webhook, Webhook['outbox'][number]>(
    ctx.webhooks,
    webhook_id,
    () => webhookNotFound(webhook_id),
    (webhook) => {
      const about = { actor: user_id, project_id: webhook.project_id, version: webhook.version + 1, session_id };
      return {
        set: { deleted_at: new Date(), deleted_by: user_id, secrets: [], headers: [] },
        events: [newEvent('webhook.deleted', about, factsOf(webhook))],
      };
    },
  );
  void ctx.webhookOutbox.flush(document);
  await cancelWaiting(ctx, webhook_id, 'deleted');
  return { message: 'Webhook deleted successfully', webhook_id };
}
