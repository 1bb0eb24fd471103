import { createServer, STATUS_CODES } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { isId } from '@claude-cli/shared/ids';
import { requestIdFrom } from '@claude-cli/shared/request-id';
import { WebSocketServer } from 'ws';
import type { Context } from '../context.ts';
import { accept } from './accept.ts';

/** Serve WebSockets on /ws/{session_id}. When disposed, takes no more and closes all of them. */
export async function openDoor(ctx: Context): Promise<AsyncDisposable> {
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: ctx.limits.messageBytes,
    perMessageDeflate: false,
  });
  const server = createServer((request, response) => {
    const status = sessionIdOf(request.url) ? 426 : 404;
    response.writeHead(status, { connection: 'close', ...(status === 426 ? { upgrade: 'websocket' } : {}) }).end();
  });
  let closing = false;
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    const sessionId = sessionIdOf(request.url);
    if (!sessionId) return refuse(socket, 404);
    if (closing || ctx.connections.full) return refuse(socket, 503);
    const requestId = requestIdFrom(request.headers['x-request-id']);
    sockets.handleUpgrade(request, socket, head, (webSocket) => accept(ctx, webSocket, sessionId, requestId));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(ctx.config.PORT, ctx.config.HOST, resolve);
  });
  ctx.port = (server.address() as AddressInfo).port;
  ctx.log.info({ port: ctx.port }, 'the door is open');
  return {
    [Symbol.asyncDispose]: async () => {
      closing = true;
      const closed = new Promise((resolve) => server.close(resolve));
      await ctx.connections.closeAll();
      server.closeAllConnections();
      await closed;
    },
  };
}

function sessionIdOf(url = ''): string | undefined {
  const [, id] = /^\/ws\/([^/?#]+)(?:\?|$)/.exec(url) ?? [];
  return isId(id) ? id.toLowerCase() : undefined;
}

function refuse(socket: Duplex, status: number): void {
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
