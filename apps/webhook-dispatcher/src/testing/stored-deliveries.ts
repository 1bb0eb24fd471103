import { newId } from '@claude-cli/shared/ids';
import type { Context } from '../context.ts';
import { type Delivery, newDelivery } from '../deliveries/delivery.ts';
import { exampleOf } from '../events/payload.ts';

/** Store a delivery to a webhook as if something had become of it. */
export async function storeDelivery(
  ctx: Context,
  webhook_id: string,
  given: Partial<Delivery> = {},
): Promise<Delivery> {
  const [delivery] = await storeMany(ctx, webhook_id, [given]);
  if (!delivery) throw new Error('nothing was stored');
  return delivery;
}

/** The same, many at once. */
export async function storeMany(ctx: Context, webhook_id: string, all: Partial<Delivery>[]): Promise<Delivery[]> {
  const webhook = { _id: webhook_id, status: 'active' } as const;
  const deliveries = all.map((given) => {
    const at = given.created_at ?? new Date();
    const told = exampleOf('task.completed', at);
    const made = newDelivery({ webhook, kind: 'event', event_id: newId(), project_id: null, told }, at, 30);
    const settled = { status: 'failed', next_attempt_at: null, finished_at: at } as const;
    // Not gone before the test looks, however long ago it is said to have been created.
    const expires_at = new Date(Date.now() + 30 * 86_400_000);
    return { ...made, ...settled, expires_at, ...given };
  });
  await ctx.deliveries.collection.insertMany(deliveries as never);
  return deliveries;
}
