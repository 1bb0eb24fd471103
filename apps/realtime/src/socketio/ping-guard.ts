import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { MessageRate } from '../connections/message-rate.ts';
import type { Limits } from '../limits.ts';

/**
 * The WebSockets below Engine.IO, which does not see their pings. Each is answered by the library, and the answer costs
 * memory until it is read; whoever sends too many is cut.
 */
export function pingGuard(limits: Limits): typeof WebSocketServer {
  return class extends WebSocketServer {
    override handleUpgrade(
      request: IncomingMessage,
      stream: Duplex,
      head: Buffer,
      accept: (socket: WebSocket, request: IncomingMessage) => void,
    ): void {
      super.handleUpgrade(request, stream, head, (socket: WebSocket) => {
        const rate = new MessageRate(limits);
        socket.on('ping', () => {
          if (rate.take() === 'abusive') socket.terminate();
        });
        accept(socket, request);
      });
    }
  } as typeof WebSocketServer;
}
