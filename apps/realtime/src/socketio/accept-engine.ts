import { requestIdFrom } from '@claude-cli/shared/request-id';
import type { Socket } from 'engine.io';
import { Connection } from '../connections/connection.ts';
import { inboundRate } from '../connections/inbound.ts';
import { leave } from '../connections/leave.ts';
import type { Context } from '../context.ts';
import { SocketIoLink } from './socketio-link.ts';

/** A packet of Engine.IO, as it came. */
interface Packet {
  type: string;
  data?: unknown;
}

/** Take on a new connection of Engine.IO. */
export function acceptEngine(ctx: Context, socket: Socket): Connection {
  const { headers, socket: stream } = socket.request;
  const requestId = requestIdFrom(headers['x-request-id']);
  const link = new SocketIoLink(socket, stream);
  const connection = new Connection(link, { requestId }, ctx.limits);
  link.onRoom = () => connection.flush();
  const withinRate = inboundRate(ctx, connection);
  ctx.connections.add(connection);
  ctx.log.debug({ request_id: requestId }, 'connected by Socket.IO');
  // Events are counted where they are heard.
  socket.on('packet', (packet: Packet) => void (isEvent(packet) || withinRate()));
  socket.once('close', (reason: string) => {
    leave(ctx, connection);
    ctx.log.debug({ request_id: requestId, user_id: connection.origin.caller.user_id, reason }, 'disconnected');
  });
  return connection;
}

function isEvent({ type, data }: Packet): boolean {
  return type === 'message' && typeof data === 'string' && data.startsWith('2');
}
