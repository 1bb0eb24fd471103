import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { Connection } from '../connections/connection.ts';
import { inboundRate } from '../connections/inbound.ts';
import { leave } from '../connections/leave.ts';
import { receiver } from '../connections/receive.ts';
import type { Context } from '../context.ts';
import { readText } from '../messages/client-message.ts';
import { WebSocketLink } from './websocket-link.ts';

/** Take on a new WebSocket: from here on it is a connection until it closes. */
export function accept(
  ctx: Context,
  socket: WebSocket,
  stream: Duplex,
  { sessionId, requestId }: { sessionId: string; requestId: string },
): void {
  const link = new WebSocketLink(socket, stream, ctx.limits);
  const connection = new Connection(link, { sessionId, requestId }, ctx.limits);
  const receive = receiver(ctx, connection);
  const withinRate = inboundRate(ctx, connection);
  const facts = { session_id: sessionId, request_id: requestId };

  ctx.connections.add(connection);
  ctx.log.debug(facts, 'connected');
  stream.on('drain', () => connection.flush());
  socket.on('message', (data: RawData, isBinary: boolean) => {
    if (withinRate()) receive(() => readText(isBinary ? undefined : data.toString()));
  });
  // Answered by the library; counted because each answer costs memory until it is read.
  socket.on('ping', withinRate);
  // Broken frames and oversized messages; the library closes with the fitting code.
  socket.on('error', (err) => ctx.log.debug({ ...facts, err: { message: err.message } }, 'connection failed'));
  socket.once('close', (code) => {
    leave(ctx, connection);
    ctx.log.debug({ ...facts, user_id: connection.origin.caller.user_id, code }, 'disconnected');
  });
}
