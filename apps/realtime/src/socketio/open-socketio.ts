import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { Server as Engine, type Socket as EngineSocket } from 'engine.io';
import { Server } from 'socket.io';
import type { Connection } from '../connections/connection.ts';
import type { Context } from '../context.ts';
import { acceptEngine } from './accept-engine.ts';
import { hear } from './hear.ts';
import { pingGuard } from './ping-guard.ts';
import { signIn } from './sign-in.ts';

/** Socket.IO, for the door to hand connections to. */
export interface SocketIo {
  upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void;
  close(): void;
}

/** Serve Socket.IO. Each client is a connection like any other; rooms and broadcasts of the library are not used. */
export function openSocketIo(ctx: Context): SocketIo {
  const { limits, log } = ctx;
  const engine = new Engine({
    // Polling would need all requests of a client to reach the same replica.
    transports: ['websocket'],
    allowUpgrades: false,
    maxHttpBufferSize: limits.messageBytes,
    pingInterval: limits.pingMs,
    pingTimeout: limits.pingMs,
    perMessageDeflate: false,
    httpCompression: false,
    wsEngine: pingGuard(limits),
  });
  const connections = new WeakMap<object, Connection>();
  // Before the library's own, so that a connection counts and its deadline runs from the first moment.
  engine.on('connection', (socket: EngineSocket) => connections.set(socket, acceptEngine(ctx, socket)));
  engine.on('connection_error', ({ message, context }) => log.debug({ context }, `Socket.IO refused: ${message}`));

  const io = new Server({ serveClient: false, connectTimeout: limits.authenticateMs });
  io.bind(engine);
  io.use((socket, next) => {
    const connection = connections.get(socket.conn);
    if (connection) void signIn(ctx, connection, socket.handshake.auth).then(next);
    else next(new Error('The connection has ended'));
  });
  io.on('connection', (socket) => {
    const connection = connections.get(socket.conn);
    if (connection) hear(ctx, connection, socket);
  });
  return {
    upgrade: (request, stream, head) => engine.handleUpgrade(request as never, stream, head),
    close: () => engine.close(),
  };
}
