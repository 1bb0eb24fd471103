import type { LiveEvent, StreamCommandRequest } from '@claude-cli/proto/platform/v1/live';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Connection } from '../connections/connection.ts';
import type { Context } from '../context.ts';
import type { Answer } from '../messages/answer.ts';
import type { Since } from '../streams/recovery.ts';
import { subscribe } from '../subscriptions/subscribe.ts';
import { openEventStream } from './open-event-stream.ts';
import { placesIn } from './places.ts';

/** All that a command writes, as events, until it has ended. */
export async function streamCommand(
  ctx: Context,
  { command_id, since }: StreamCommandRequest,
  call: Call,
): Promise<AsyncIterable<LiveEvent>> {
  const listen = (connection: Connection, after: Since[]) =>
    subscribe(ctx, connection, { channel: 'command_output', command_id, since: after });
  const begin = async (connection: Connection): Promise<Answer> => {
    if (since !== undefined) {
      const answer = await listen(connection, placesIn(since));
      if (recovered(answer)) return answer;
    }
    const answer = await listen(connection, [{ seq: 0 }]);
    // What the client has is of another run: it begins anew, with all of this one.
    return { ...answer, data: { ...answer.data, recovered: since === undefined && recovered(answer) } };
  };
  return openEventStream(ctx, call, { begin, ofCommand: true, last: 'command_finished' });
}

function recovered({ data }: Answer): boolean {
  return 'recovered' in data && data.recovered === true;
}
