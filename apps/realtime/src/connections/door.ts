import { createServer, type ServerResponse, STATUS_CODES } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { isId } from '@claude-cli/shared/ids';
import { requestIdFrom } from '@claude-cli/shared/request-id';
import { WebSocketServer } from 'ws';
import type { Context } from '../context.ts';
import { openSocketIo } from '../socketio/open-socketio.ts';
import { accept } from '../websocket/accept.ts';

/** Serve WebSockets on /ws/{session_id}, and Socket.IO on /socket.io. When disposed, takes no more and closes all of them. */
export async function openDoor(ctx: Context): Promise<AsyncDisposable> {
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: ctx.limits.messageBytes,
    perMessageDeflate: false,
  });
  const socketIo = openSocketIo(ctx);
  const server = createServer((request, response) => {
    if (isSocketIo(request.url)) return void refusePolling(response);
    const status = sessionIdOf(request.url) ? 426 : 404;
    response.writeHead(status, { connection: 'close', ...(status === 426 ? { upgrade: 'websocket' } : {}) }).end();
  });
  let closing = false;
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy());
    const sessionId = sessionIdOf(request.url);
    const bySocketIo = isSocketIo(request.url);
    if (!sessionId && !bySocketIo) return refuse(socket, 404);
    if (closing || ctx.connections.full) return refuse(socket, 503);
    if (!sessionId) return socketIo.upgrade(request, socket, head);
    const requestId = requestIdFrom(request.headers['x-request-id']);
    sockets.handleUpgrade(request, socket, head, (webSocket) =>
      accept(ctx, webSocket, socket, { sessionId, requestId }),
    );
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
      socketIo.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function sessionIdOf(url = ''): string | undefined {
  const [, id] = /^\/ws\/([^/?#]+)(?:\?|$)/.exec(url) ?? [];
  return isId(id) ? id.toLowerCase() : undefined;
}

/** Whether a request is for Socket.IO. A connection is made by one request: there is no older one to go on with. */
function isSocketIo(url = ''): boolean {
  return /^\/socket\.io\/?\?/.test(url) && !/[?&]sid=/.test(url);
}

/** Polling is what clients try first unless told otherwise. The body is of the shape that they know. */
function refusePolling(response: ServerResponse): void {
  const message = "Socket.IO is served over WebSocket only: connect with transports: ['websocket']";
  response.writeHead(426, { connection: 'close', upgrade: 'websocket', 'content-type': 'application/json' });
  response.end(JSON.stringify({ code: 0, message }));
}

function refuse(socket: Duplex, status: number): void {
  const answer = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
  // Nobody reads it any more, so its other end would not be seen: it would stay, and hold up the stop of the server.
  socket.end(answer, () => socket.destroy());
}
