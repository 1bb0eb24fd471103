import type { Delivery as DeliveryMessage, RedeliverRequest } from '@claude-cli/proto/platform/v1/webhooks';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { findWebhook } from '../webhooks/find-webhook.ts';
import { requireActive } from '../webhooks/webhook.ts';
import { type Delivery, rearmed, toProto } from './delivery.ts';
import { deliveryNotFound } from './get-delivery.ts';

/** Send a delivery again, now. */
export async function redeliver(
  ctx: Context,
  { webhook_id, delivery_id }: RedeliverRequest,
  call: Call,
): Promise<DeliveryMessage> {
  requireActive(await findWebhook(ctx, webhook_id, call));
  const delivery = await ctx.deliveries
    .findOneAndUpdate({ _id: delivery_id, webhook_id }, rearmed(new Date()), { returnDocument: 'after' })
    .lean<Delivery>();
  if (!delivery) throw deliveryNotFound(delivery_id);
  await ctx.handOver([delivery]);
  return toProto(delivery);
}
