import type { DeliveryDetail, GetDeliveryRequest } from '@claude-cli/proto/platform/v1/webhooks';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { findWebhook } from '../webhooks/find-webhook.ts';
import { type Delivery, toProto } from './delivery.ts';

/** One delivery with the body that is sent. */
export async function getDelivery(
  ctx: Context,
  { webhook_id, delivery_id }: GetDeliveryRequest,
  call: Call,
): Promise<DeliveryDetail> {
  await findWebhook(ctx, webhook_id, call);
  const delivery = await ctx.deliveries.findOne({ _id: delivery_id, webhook_id }).lean<Delivery>();
  if (!delivery) throw deliveryNotFound(delivery_id);
  return { delivery: toProto(delivery), payload: delivery.payload };
}

/** The error for a delivery that is not there, or not of that webhook. */
export function deliveryNotFound(delivery_id: string): PlatformError {
  return new PlatformError('RESOURCE_NOT_FOUND', 'The delivery does not exist', { delivery_id });
}
