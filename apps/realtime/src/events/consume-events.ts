import { PlatformError } from '@claude-cli/shared/errors';
import { type AnyEvent, eventPattern } from '@claude-cli/shared/events';
import { recheckUser } from '../connections/recheck-user.ts';
import type { Context } from '../context.ts';
import { gapMessage } from '../messages/encoded.ts';
import { messagesOf } from '../messages/of-event.ts';
import { isProjectEvent, recheckAfter } from '../subscriptions/recheck.ts';
import { topicsOf } from '../subscriptions/subscription.ts';

/** Take what the broker sends and pass it on. What ends connections is wanted from the start, the rest by what clients ask for. */
export async function consumeEvents(ctx: Context): Promise<AsyncDisposable> {
  const consumer = await ctx.feed.open({
    log: ctx.log,
    onEvent: (event) => tell(ctx, event),
    onReconnect: () => tellReconnect(ctx),
  });
  await ctx.feed.want([eventPattern('session.closed'), eventPattern('user.updated')]);
  return consumer;
}

/** Synchronous from end to end, so that clients see what the queue holds in the order in which the queue holds it. */
function tell(ctx: Context, event: AnyEvent): void {
  if (event.type !== 'command.output' && !ctx.told.add(event.id)) return;
  ctx.hub.publish(topicsOf(event), () => messagesOf(event));
  if (isProjectEvent(event)) recheckAfter(ctx, event);
  if (event.type === 'user.updated') void recheckUser(ctx, event.data.user_id);
  if (event.type === 'session.closed') {
    const error = new PlatformError('RESOURCE_NOT_FOUND', 'The session was closed');
    for (const connection of ctx.connections.ofUser(event.data.user_id)) {
      if (connection.sessionId === event.data.session_id) connection.refuse(error, 4403);
    }
  }
}

/** While the broker was away, an unknown number of messages went by those who had subscribed before. */
function tellReconnect({ hub }: Context): () => void {
  const affected = hub.subscribers().map((subscriber) => {
    const channels = new Set(hub.subscriptionsOf(subscriber).map(({ channel }) => channel));
    return { subscriber, channels };
  });
  return () => {
    for (const { subscriber, channels } of affected) {
      for (const channel of channels) subscriber.send(gapMessage(channel, null));
    }
  };
}
