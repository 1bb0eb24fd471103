import type { LiveEvent } from '@claude-cli/proto/platform/v1/live';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import { admit } from '../connections/admit.ts';
import { Connection } from '../connections/connection.ts';
import { leave } from '../connections/leave.ts';
import { Refusal } from '../connections/refusal.ts';
import type { Context } from '../context.ts';
import type { Answer } from '../messages/answer.ts';
import { dataMessage, type WireFormat } from '../messages/encoded.ts';
import type { Position } from '../streams/item.ts';
import { EventLink } from './event-link.ts';
import { Places } from './places.ts';

/** What one event stream is. */
export interface EventStream {
  /** Subscribes the connection. */
  begin(connection: Connection): Promise<Answer>;
  /** Whether it is about the output of a command. */
  ofCommand: boolean;
  /** Type of the message that ends it. */
  last?: string;
}

const asText: WireFormat<string> = { write: (_message, json) => json };

/**
 * A connection that is read as events: its caller has signed in at the gateway, and it ends like any other, or when the
 * caller has gone. The first event is the answer to its subscription.
 * @throws PlatformError when it cannot begin
 */
export async function openEventStream(
  ctx: Context,
  call: Call,
  stream: EventStream,
): Promise<AsyncIterable<LiveEvent>> {
  if (ctx.connections.full) throw new PlatformError('SYSTEM_OVERLOADED', 'Too many connections, try again later');
  const { caller, requestId, signal } = call;
  const link = new EventLink();
  const connection = new Connection(link, { sessionId: caller.session_id, requestId }, ctx.limits);
  link.onRoom = () => connection.flush();
  ctx.connections.add(connection);
  const end = () => {
    link.cut();
    leave(ctx, connection);
  };
  signal?.addEventListener('abort', end, { once: true });
  try {
    await admit(ctx, connection, caller.user_id);
    const until = caller.credential?.expires_at;
    connection.identify({ caller, requestId }, until === undefined ? Number.POSITIVE_INFINITY : until * 1000);
    const { type, data, after } = await stream.begin(connection);
    connection.send(dataMessage(type, data));
    after?.();
    return eventsOf(link, new Places(placesOf(data), stream.ofCommand), stream, end);
  } catch (thrown) {
    end();
    throw thrown instanceof Refusal ? thrown.error : thrown;
  }
}

async function* eventsOf(
  link: EventLink,
  places: Places,
  { last }: EventStream,
  end: () => void,
): AsyncGenerator<LiveEvent> {
  try {
    for await (const encoded of link.messages()) {
      const { message } = encoded;
      const event = { event: message.type, data: encoded.as(asText) };
      // Whoever comes back after the last event hears it again, and nothing else.
      const id = message.type === last ? undefined : message.type === 'subscribed' ? places.id : places.after(message);
      yield id === undefined ? event : { id, ...event };
      if (message.type === last) return;
    }
  } finally {
    end();
  }
}

/** The places in the answer to a subscription. */
function placesOf(data: object): Position[] {
  const { epoch, seq, also = [] } = data as Partial<Position> & { also?: Position[] };
  return epoch === undefined || seq === undefined ? [] : [{ epoch, seq }, ...also];
}
