import type { RawData, WebSocket } from 'ws';
import type { Context } from '../context.ts';
import { errorMessage } from '../messages/encoded.ts';
import { endAll } from '../subscriptions/ledger.ts';
import { Connection } from './connection.ts';
import { MessageRate } from './message-rate.ts';
import { receiver, tooMany } from './receive.ts';

/** Take on a new WebSocket: from here on it is a connection until it closes. */
export function accept(ctx: Context, socket: WebSocket, sessionId: string, requestId: string): void {
  const connection = new Connection(socket, sessionId, requestId, ctx.limits);
  const receive = receiver(ctx, connection);
  const rate = new MessageRate(ctx.limits);
  const withinRate = (): boolean => {
    const verdict = rate.take();
    if (verdict === 'refused') connection.send(errorMessage(tooMany(ctx)));
    if (verdict === 'abusive') connection.refuse(tooMany(ctx), 4429);
    return verdict === 'taken';
  };
  const facts = { session_id: sessionId, request_id: requestId };

  ctx.connections.add(connection);
  ctx.log.debug(facts, 'connected');
  socket.on('message', (data: RawData, isBinary: boolean) => {
    if (!connection.closed && withinRate()) receive(isBinary ? undefined : data.toString());
  });
  // Answered by the library; counted because each answer costs memory until it is read.
  socket.on('ping', () => {
    if (!connection.closed) withinRate();
  });
  // Broken frames and oversized messages; the library closes with the fitting code.
  socket.on('error', (err) => ctx.log.debug({ ...facts, err: { message: err.message } }, 'connection failed'));
  socket.once('close', (code) => {
    ctx.connections.remove(connection);
    void endAll(ctx, connection);
    ctx.log.debug({ ...facts, user_id: connection.origin.caller.user_id, code }, 'disconnected');
  });
}
