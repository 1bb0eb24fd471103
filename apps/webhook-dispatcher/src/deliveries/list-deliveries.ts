import {
  Delivery_Status,
  type ListDeliveriesRequest,
  type ListDeliveriesResponse,
} from '@claude-cli/proto/platform/v1/webhooks';
import { createdBetween, findPage } from '@claude-cli/shared/find-page';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { QueryFilter } from 'mongoose';
import type { Context } from '../context.ts';
import { findWebhook } from '../webhooks/find-webhook.ts';
import { type Delivery, toProto } from './delivery.ts';

/** Characters of each answer that a list shows. */
const shownResponse = 200;

/** A page of the deliveries of a webhook. */
export async function listDeliveries(
  ctx: Context,
  request: ListDeliveriesRequest,
  call: Call,
): Promise<ListDeliveriesResponse> {
  await findWebhook(ctx, request.webhook_id, call);
  const { page, page_size } = request;
  const { documents, total } = await findPage(ctx.deliveries, filterOf(request), { page, page_size });
  return { items: documents.map((delivery) => toProto(delivery, shownResponse)), total };
}

/** The filter that finds the deliveries asked for. */
export function filterOf(request: ListDeliveriesRequest): QueryFilter<Delivery> {
  const { webhook_id, status, event_type } = request;
  // Naming every status lets the index that begins with it give the order of a list of any; so does a type.
  const statuses = status.length > 0 || event_type !== undefined ? status : Object.values(Delivery_Status);
  return {
    webhook_id,
    ...(statuses.length > 0 && { status: { $in: statuses } }),
    ...(event_type !== undefined && { event_type }),
    ...createdBetween(request),
  };
}
