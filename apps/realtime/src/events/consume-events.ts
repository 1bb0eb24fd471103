import { PlatformError } from '@claude-cli/shared/errors';
import { eventPattern } from '@claude-cli/shared/event-routing';
import type { AnyEvent, PlatformEvent } from '@claude-cli/shared/events';
import { recheckUser } from '../connections/recheck-user.ts';
import type { Context } from '../context.ts';
import { gapMessage } from '../messages/gap.ts';
import { itemOf, outputItem } from '../messages/of-event.ts';
import { commandStream } from '../streams/open-stream.ts';
import { onEvents } from '../subscriptions/binding.ts';
import { hearsOutputOfMany, topicOf } from '../subscriptions/subscription.ts';

/** Take what the broker sends and pass it on. What ends connections is wanted from the start, the rest by what clients ask for. */
export async function consumeEvents(ctx: Context): Promise<AsyncDisposable> {
  const consumer = await ctx.feed.open({
    log: ctx.log,
    onEvent: (event) => takeEvent(ctx, event),
    onNumbered: (scope, { epoch, seq, count, event }) => {
      ctx.streams.get(scope)?.arrive(itemOf(event, { epoch, seq }, count));
    },
    onReconnect: () => afterReconnect(ctx),
  });
  await ctx.feed.want([onEvents(eventPattern('session.closed')), onEvents(eventPattern('user.updated'))]);
  return consumer;
}

/** Synchronous from end to end, so that clients see what the queue holds in the order in which the queue holds it. */
function takeEvent(ctx: Context, event: AnyEvent): void {
  if (event.type === 'command.output') takeOutput(ctx, event);
  if (event.type === 'user.updated') void recheckUser(ctx, event.data.user_id);
  if (event.type === 'session.closed') {
    const error = new PlatformError('RESOURCE_NOT_FOUND', 'The session was closed');
    for (const connection of ctx.connections.ofUser(event.data.user_id)) {
      if (connection.sessionId === event.data.session_id) connection.refuse(error, 4403);
    }
  }
}

/** Output goes to those who listen to its command by the command's stream, in order, and to all others at once. */
function takeOutput({ hub, streams, outputNumbers }: Context, event: PlatformEvent<'command.output'>): void {
  const item = outputItem(event);
  const { command_id } = event.data;
  const ofCommand = topicOf({ channel: 'command_output', field: 'command_id', id: command_id });
  const others = item.topics.filter((topic) => topic !== ofCommand);
  const lacking = outputNumbers.note(item);
  if (lacking) {
    const dropped = lacking.to - lacking.from + 1;
    const gap = gapMessage({ channel: 'command_output', dropped, command_id, epoch: item.epoch, ...lacking });
    hub.publish(others, () => [gap], ofCommand);
  }
  hub.publish(others, item.messages, ofCommand);
  streams.get(commandStream(command_id))?.arrive(item);
}

/**
 * While the broker was away, an unknown number of messages went by. What has a history is read there; who listens to the
 * output of many commands is told that something may be missing.
 */
function afterReconnect({ hub, streams }: Context): () => void {
  const affected = hub.subscribers().filter((subscriber) => {
    return hub.of(subscriber).some(({ subscription, live }) => live && hearsOutputOfMany(subscription));
  });
  return () => {
    for (const subscriber of affected) subscriber.send(gapMessage({ channel: 'command_output', dropped: null }));
    void streams.check();
  };
}
