import { PlatformError } from '@claude-cli/shared/errors';
import type { Context } from '../context.ts';
import { dataMessage } from '../messages/encoded.ts';
import type { Subscriber } from './hub.ts';
import { describe, patternsOf, type Subscription, topicOf } from './subscription.ts';

/**
 * Begin a subscription whose access was checked. When this resolves, nothing that happens later is missed.
 * @returns false when the subscriber had it before
 * @throws PlatformError RESOURCE_LIMIT_EXCEEDED, SERVICE_UNAVAILABLE
 */
export async function begin(ctx: Context, subscriber: Subscriber, subscription: Subscription): Promise<boolean> {
  const known = ctx.hub.find(subscriber, topicOf(subscription));
  if (known) {
    known.automatic &&= subscription.automatic;
    return false;
  }
  await makeRoom(ctx, subscriber);
  const patterns = patternsOf(subscription);
  await ctx.feed.want(patterns);
  if (subscriber.closed) await ctx.feed.unwant(patterns);
  else ctx.hub.add(subscriber, subscription);
  return true;
}

/** End a subscription, if there is one. @returns whether there was one */
export async function end(ctx: Context, subscriber: Subscriber, topic: string): Promise<boolean> {
  const subscription = ctx.hub.remove(subscriber, topic);
  if (subscription) await ctx.feed.unwant(patternsOf(subscription));
  return subscription !== undefined;
}

/** End everything that a subscriber hears. */
export async function endAll(ctx: Context, subscriber: Subscriber): Promise<void> {
  await Promise.all(ctx.hub.subscriptionsOf(subscriber).map((held) => end(ctx, subscriber, topicOf(held))));
}

async function makeRoom(ctx: Context, subscriber: Subscriber): Promise<void> {
  const most = ctx.limits.subscriptionsPerConnection;
  const held = ctx.hub.subscriptionsOf(subscriber);
  if (held.length < most) return;
  const oldest = held.find(({ automatic }) => automatic);
  if (!oldest) {
    throw new PlatformError('RESOURCE_LIMIT_EXCEEDED', `At most ${most} subscriptions per connection`, { limit: most });
  }
  await end(ctx, subscriber, topicOf(oldest));
  subscriber.send(dataMessage('unsubscribed', describe(oldest)));
}
