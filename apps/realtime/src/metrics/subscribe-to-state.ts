import { requirePermission } from '@claude-cli/shared/caller';
import type { Context } from '../context.ts';
import type { Answer } from '../messages/answer.ts';
import { dataMessage } from '../messages/encoded.ts';
import type { Subscriber } from '../subscriptions/hub.ts';
import { begin, end, start } from '../subscriptions/ledger.ts';
import type { SubscribeRequest } from '../subscriptions/subscribe.ts';
import { describe, type Target } from '../subscriptions/subscription.ts';

/**
 * Listen to how something is: told at once, and then when it changes or is measured again. There is nothing to miss, so
 * whoever comes back has recovered.
 */
export async function subscribeToState(
  ctx: Context,
  subscriber: Subscriber,
  target: Target,
  { since, caught_up }: Pick<SubscribeRequest, 'since' | 'caught_up'>,
): Promise<Answer> {
  requirePermission(subscriber.origin.caller, 'read');
  await ctx.metrics.prepare(target);
  await endOthers(ctx, subscriber, target);
  const { listening } = await begin(ctx, subscriber, { ...target, projectId: null, automatic: false });
  return {
    type: 'subscribed',
    data: { ...describe(target), ...(since ? { recovered: true } : {}) },
    after: () => {
      start(ctx, listening);
      for (const message of ctx.metrics.begin(target)) subscriber.send(message);
      if (caught_up) subscriber.send(dataMessage('caught_up', describe(target)));
    },
  };
}

/** Listen no more, at whatever interval. */
export async function unsubscribeFromMeasurements(ctx: Context, subscriber: Subscriber): Promise<void> {
  for (const { subscription, topic } of ctx.hub.of(subscriber)) {
    if (subscription.channel === 'performance_data') await end(ctx, subscriber, topic);
  }
}

/** Another interval takes the place of the one before. */
async function endOthers(ctx: Context, subscriber: Subscriber, { channel }: Target): Promise<void> {
  if (channel === 'performance_data') await unsubscribeFromMeasurements(ctx, subscriber);
}
