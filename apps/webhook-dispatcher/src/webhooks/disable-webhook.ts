import { newEvent } from '@claude-cli/shared/events';
import { guardedUpdate } from '@claude-cli/shared/guarded-update';
import type { Context } from '../context.ts';
import { cancelWaiting } from '../deliveries/cancel-waiting.ts';
import { type DisabledReason, factsOf, type Webhook, webhookNotFound } from './webhook.ts';

/** Send nothing until somebody resumes it, and tell so. One that is not active, or not there any more, stays as it is. */
export async function disableWebhook(
  ctx: Pick<Context, 'webhooks' | 'webhookOutbox' | 'deliveries' | 'log'>,
  webhook_id: string,
  disabled_reason: DisabledReason,
): Promise<void> {
  const present = await ctx.webhooks.exists({ _id: webhook_id, status: 'active', deleted_at: null });
  if (!present) return;
  const { document, changed } = await guardedUpdate<Webhook, Webhook['outbox'][number]>(
    ctx.webhooks,
    webhook_id,
    () => webhookNotFound(webhook_id),
    (webhook) => {
      if (webhook.status !== 'active') return undefined;
      const set = { status: 'disabled', disabled_reason, inactive_since: new Date() } as const;
      const about = { actor: 'webhook-dispatcher', project_id: webhook.project_id, version: webhook.version + 1 };
      const facts = { ...factsOf({ ...webhook, ...set }), reason: disabled_reason };
      return { set, events: [newEvent('webhook.disabled', about, facts)] };
    },
  );
  if (!changed) return;
  ctx.log.warn({ webhook_id, reason: disabled_reason }, 'a webhook was disabled');
  void ctx.webhookOutbox.flush(document);
  await cancelWaiting(ctx, webhook_id, 'disabled');
}
