import { isId } from '@claude-cli/shared/ids';
import type { Context } from '../context.ts';
import type { ClientMessage } from '../messages/client-message.ts';
import type { Subscriber } from '../subscriptions/hub.ts';

/** Tell the history of the session what came over its WebSocket. In the background: nobody waits for it. */
export function recordMessage(
  { sessions, log }: Context,
  { origin }: Pick<Subscriber, 'origin'>,
  { type, token: _secret, ...fields }: ClientMessage & { token?: string },
): void {
  const { session_id } = origin.caller;
  if (session_id === undefined) return;
  const details = Object.fromEntries(Object.entries(fields).filter(([name, id]) => name.endsWith('_id') && isId(id)));
  const channel = 'channel' in fields ? { channel: fields.channel } : {};
  sessions
    .recordActivity({ session_id, action: 'message', request: type, details: { ...channel, ...details } }, origin)
    .catch((err) => log.warn({ err, session_id, type }, 'a message is missing in its session'));
}
