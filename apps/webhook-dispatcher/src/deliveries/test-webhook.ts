import type { Delivery as DeliveryMessage, TestWebhookRequest } from '@claude-cli/proto/platform/v1/webhooks';
import { invalidField } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import { traced } from '@claude-cli/shared/telemetry/tracing';
import { isDeliverable } from '@claude-cli/shared/webhooks/catalog';
import type { Context } from '../context.ts';
import { exampleOf } from '../events/payload.ts';
import { findWebhook } from '../webhooks/find-webhook.ts';
import { requireActive } from '../webhooks/webhook.ts';
import { newDelivery, toProto } from './delivery.ts';

/** What is sent when neither the caller nor the webhook names a type of event. */
const usual = 'task.completed';

/** Send an example of an event. */
export async function testWebhook(
  ctx: Context,
  { webhook_id, event_type }: TestWebhookRequest,
  call: Call,
): Promise<DeliveryMessage> {
  const webhook = await findWebhook(ctx, webhook_id, call);
  requireActive(webhook);
  const [first = usual] = webhook.events;
  const type = event_type ?? (first === '*' ? usual : first);
  if (!isDeliverable(type)) throw invalidField('event_type', 'is no type of event');
  const now = new Date();
  const { project_id } = webhook;
  const source = { webhook, kind: 'test', project_id, told: exampleOf(type, now), ...traced() } as const;
  const delivery = newDelivery(source, now, ctx.config.DELIVERY_TTL_DAYS);
  await ctx.newDeliveries.store([delivery]);
  return toProto(delivery);
}
