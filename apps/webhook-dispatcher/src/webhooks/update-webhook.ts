import type { UpdateWebhookRequest, Webhook as WebhookMessage } from '@claude-cli/proto/platform/v1/webhooks';
import { invalidField } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import { changesOf } from '@claude-cli/shared/guarded-update';
import type { Context } from '../context.ts';
import { closeHeaders, keyIdAfter } from '../secrets/secrets.ts';
import { changeWebhook } from './change-webhook.ts';
import { checkHeaders, checkUrl, wantedEvents } from './rules.ts';
import { toProto, type Webhook } from './webhook.ts';

/** Change the fields given; headers are replaced as a whole. */
export async function updateWebhook(ctx: Context, request: UpdateWebhookRequest, call: Call): Promise<WebhookMessage> {
  const { webhook_id, url, events, headers, cleared_fields } = request;
  for (const field of cleared_fields) {
    if (field !== 'headers' && field !== 'description') throw invalidField(field, 'cannot be null');
  }
  if (url !== undefined) checkUrl(url, ctx.urlRules);
  checkHeaders(headers);
  const givesHeaders = Object.keys(headers).length > 0 || cleared_fields.includes('headers');
  const webhook = await changeWebhook(ctx, webhook_id, call, (present) => {
    const description = cleared_fields.includes('description') ? '' : request.description;
    const given: Partial<Webhook> = {
      ...(url !== undefined && { url }),
      ...(description !== undefined && { description }),
      ...(events.length > 0 && { events: wantedEvents(events, present.project_id, call.caller) }),
    };
    const changed_fields = changesOf(present, given).map(({ field }) => field);
    // Sealed values cannot be compared: each sealing has another result.
    const sealed = givesHeaders ? { headers: closeHeaders(ctx, headers), key_id: keyIdAfter(ctx, present) } : {};
    if (givesHeaders) changed_fields.push('headers');
    return changed_fields.length > 0 ? { set: { ...given, ...sealed }, changed_fields } : undefined;
  });
  if (url !== undefined) await ctx.dispatcher.forgive(webhook_id);
  return toProto(webhook);
}
