import type { LiveEvent, StreamEventsRequest } from '@claude-cli/proto/platform/v1/live';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { subscribe } from '../subscriptions/subscribe.ts';
import type { Channel } from '../subscriptions/subscription.ts';
import { openEventStream } from './open-event-stream.ts';
import { placesIn } from './places.ts';

/** What happens on a channel, as events. */
export async function streamEvents(
  ctx: Context,
  { since, ...request }: StreamEventsRequest,
  call: Call,
): Promise<AsyncIterable<LiveEvent>> {
  // The contract lets no other pass.
  const channel = request.channel as Channel;
  const wish = { ...request, channel, since: since === undefined ? undefined : placesIn(since) };
  return openEventStream(ctx, call, {
    begin: (connection) => subscribe(ctx, connection, wish),
    ofCommand: channel === 'command_output',
  });
}
