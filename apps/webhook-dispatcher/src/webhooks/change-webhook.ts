import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import { guardedUpdate } from '@claude-cli/shared/guarded-update';
import type { Context } from '../context.ts';
import { findWebhook } from './find-webhook.ts';
import { factsOf, type Webhook, webhookNotFound } from './webhook.ts';

/** What a change sets, and which fields people see changed by it. */
export interface WebhookChange {
  set: Partial<Webhook>;
  changed_fields: string[];
}

/**
 * Change a webhook that the caller manages, and tell it.
 * @param decide returns undefined to leave it as it is
 * @throws PlatformError RESOURCE_NOT_FOUND, RESOURCE_CONFLICT when others kept changing it, and decide's
 */
export async function changeWebhook(
  ctx: Context,
  webhook_id: string,
  call: Call,
  decide: (webhook: Webhook) => WebhookChange | undefined,
): Promise<Webhook> {
  await findWebhook(ctx, webhook_id, call);
  const { user_id: actor, session_id } = call.caller;
  const { document, changed } = await guardedUpdate<Webhook, Webhook['outbox'][number]>(
    ctx.webhooks,
    webhook_id,
    () => webhookNotFound(webhook_id),
    (webhook) => {
      const change = decide(webhook);
      if (!change) return undefined;
      const { set, changed_fields } = change;
      const about = { actor, project_id: webhook.project_id, version: webhook.version + 1, session_id };
      const facts = factsOf({ ...webhook, ...set });
      return { set, events: [newEvent('webhook.updated', about, { ...facts, changed_fields })] };
    },
  );
  if (changed) void ctx.webhookOutbox.flush(document);
  return document;
}
