import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import type { CloseReason, Link } from '../connections/link.ts';
import type { Limits } from '../limits.ts';
import type { Encoded } from '../messages/encoded.ts';

const asText = { binary: false };

/** The way to a client by a WebSocket. */
export class WebSocketLink implements Link {
  readonly transport = 'websocket';
  latencyMs: number | undefined;
  readonly #socket: WebSocket;
  readonly #stream: Duplex;
  readonly #limits: Pick<Limits, 'pingMs'>;
  #pingedAt: number | undefined;

  /** @param stream below the WebSocket: it tells when the client does not keep up */
  constructor(socket: WebSocket, stream: Duplex, limits: Pick<Limits, 'pingMs'>) {
    this.#socket = socket;
    this.#stream = stream;
    this.#limits = limits;
    socket.on('pong', () => {
      if (this.#pingedAt !== undefined) this.latencyMs = performance.now() - this.#pingedAt;
      this.#pingedAt = undefined;
    });
  }

  get open(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  get full(): boolean {
    return this.#stream.writableNeedDrain;
  }

  write(message: Encoded): void {
    if (this.open) this.#socket.send(message.bytes, asText);
  }

  end(code: number, reason: CloseReason): void {
    this.#socket.close(code, typeof reason === 'string' ? reason : JSON.stringify(reason));
  }

  cut(): void {
    this.#socket.terminate();
  }

  ping(): void {
    if (this.#pingedAt === undefined) {
      if (!this.open) return;
      this.#pingedAt = performance.now();
      this.#socket.ping();
      // The first ping comes out of turn, perhaps just before the next one: it is no reason to cut yet.
    } else if (performance.now() - this.#pingedAt > this.#limits.pingMs / 2) {
      this.cut();
    }
  }
}
