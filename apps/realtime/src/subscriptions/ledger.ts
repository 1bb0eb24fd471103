import { PlatformError } from '@claude-cli/shared/errors';
import type { Context } from '../context.ts';
import { dataMessage } from '../messages/encoded.ts';
import { gapMessage } from '../messages/gap.ts';
import { canRecover, type Since } from '../streams/recovery.ts';
import { replay } from '../streams/replay.ts';
import type { Stream } from '../streams/stream.ts';
import { Listening, type Subscriber } from './hub.ts';
import { bindingsOf, describe, type Subscription, streamOf, topicOf } from './subscription.ts';

/** A subscription that was granted. */
export interface Begun {
  listening: Listening;
  /** Whether the subscriber had it before. */
  known: boolean;
  /** Whether all that was missed will be heard; undefined when nobody asked. */
  recovered?: boolean;
}

/**
 * Begin a subscription whose access was checked. When this resolves, nothing that happens later is missed; it is heard
 * after `start`.
 * @param since after what it goes on; from now on when absent
 * @throws PlatformError RESOURCE_LIMIT_EXCEEDED, SERVICE_UNAVAILABLE
 */
export async function begin(
  ctx: Context,
  subscriber: Subscriber,
  subscription: Subscription,
  since?: readonly Since[],
): Promise<Begun> {
  const known = ctx.hub.find(subscriber, topicOf(subscription));
  if (known && !since) {
    known.subscription.automatic &&= subscription.automatic;
    return { listening: known, known: true };
  }
  if (!known) await makeRoom(ctx, subscriber);
  const bindings = bindingsOf(subscription);
  const name = streamOf(subscription);
  await ctx.feed.want(bindings);
  let stream: Stream | undefined;
  try {
    if (name) stream = await ctx.streams.follow(name);
    const recovered = since && (await canRecover(stream, since));
    // One that goes on from another place takes the place of the one before it.
    if (known) await end(ctx, subscriber, known.topic);
    const from = recovered ? recovered.seq : (stream?.last ?? 0);
    const listening = new Listening(subscriber, subscription, stream, from);
    ctx.hub.add(listening);
    if (subscriber.closed) await end(ctx, subscriber, listening.topic);
    return { listening, known: false, ...(since ? { recovered: recovered !== undefined } : {}) };
  } catch (thrown) {
    if (name && stream) ctx.streams.leave(name, stream);
    await ctx.feed.unwant(bindings);
    throw thrown;
  }
}

/**
 * Let a subscription hear what comes after its beginning, and then what happens.
 * @param onLive called when all that was missed is sent
 */
export function start(ctx: Context, listening: Listening, onLive: () => void = () => {}): void {
  const { stream, subscriber } = listening;
  if (listening.ended) return;
  if (listening.live) {
    onLive();
    return;
  }
  // Who was started before is about to be live.
  if (listening.whenLive.push(onLive) > 1) return;
  const attach = () => {
    ctx.hub.attach(listening);
    for (const told of listening.whenLive) told();
  };
  if (!stream) {
    attach();
    return;
  }
  const { channel, field, id } = listening.subscription;
  const about = field === 'command_id' ? { command_id: id } : {};
  const heard = replay(listening, stream, () => ctx.hub.of(subscriber), {
    live: attach,
    gap: (lacking) => {
      const dropped = field === 'command_id' ? lacking.to - lacking.from + 1 : null;
      subscriber.send(gapMessage({ channel, dropped, ...about, epoch: stream.epoch, ...lacking }));
    },
    // Another run of a command is told from its beginning, so nothing of it is missed.
    renewed: () => {
      if (field !== 'command_id') subscriber.send(gapMessage({ channel, dropped: null, epoch: stream.epoch }));
    },
  });
  heard.catch((err) => ctx.log.error({ err }, 'a subscription could not go on'));
}

/** End a subscription, if there is one. @returns whether there was one */
export async function end(ctx: Context, subscriber: Subscriber, topic: string): Promise<boolean> {
  const listening = ctx.hub.remove(subscriber, topic);
  if (!listening) return false;
  const { subscription, stream } = listening;
  const name = streamOf(subscription);
  if (name && stream) ctx.streams.leave(name, stream);
  for (const { exchange } of await ctx.feed.unwant(bindingsOf(subscription))) {
    if (exchange === 'events') ctx.outputNumbers.forget(subscription.projectId ?? subscription.id);
  }
  return true;
}

/** End everything that a subscriber hears. */
export async function endAll(ctx: Context, subscriber: Subscriber): Promise<void> {
  await Promise.all(ctx.hub.of(subscriber).map(({ topic }) => end(ctx, subscriber, topic)));
}

async function makeRoom(ctx: Context, subscriber: Subscriber): Promise<void> {
  const most = ctx.limits.subscriptionsPerConnection;
  const held = ctx.hub.of(subscriber);
  if (held.length < most) return;
  const oldest = held.find(({ subscription }) => subscription.automatic);
  if (!oldest) {
    throw new PlatformError('RESOURCE_LIMIT_EXCEEDED', `At most ${most} subscriptions per connection`, { limit: most });
  }
  await end(ctx, subscriber, oldest.topic);
  subscriber.send(dataMessage('unsubscribed', describe(oldest.subscription)));
}
