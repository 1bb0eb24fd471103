import type { Duplex } from 'node:stream';
import type { Socket } from 'engine.io';
import type { CloseReason, Link } from '../connections/link.ts';
import { closingMessage } from '../messages/closing.ts';
import { Encoded } from '../messages/encoded.ts';
import { asPacket, disconnect } from './packet.ts';

/** Bytes that Engine.IO is given beyond what its socket takes. */
const roomBytes = 16_384;

/** Closed for a reason that does not last: the client comes back by itself. */
const passing: readonly number[] = [1012, 4408];

/** An answer that goes to the acknowledgement of its request. */
export class TiedAnswer extends Encoded {
  readonly acknowledge: (message: object) => void;

  constructor({ message }: Encoded, acknowledge: (message: object) => void) {
    super(message);
    this.acknowledge = acknowledge;
  }
}

/** The way to a client by Socket.IO. */
export class SocketIoLink implements Link {
  readonly transport = 'socketio';
  latencyMs: number | undefined;
  /** Called when it is not full any more. */
  onRoom: () => void = () => {};
  readonly #socket: Socket;
  readonly #stream: Duplex;
  #ended = false;
  #heldBytes = 0;
  #pingedAt: number | undefined;

  /** @param stream below the WebSocket */
  constructor(socket: Socket, stream: Duplex) {
    this.#socket = socket;
    this.#stream = stream;
    // All that was held is with the WebSocket now.
    socket.on('drain', () => {
      this.#heldBytes = 0;
      this.onRoom();
    });
    socket.on('packetCreate', ({ type }: { type: string }) => {
      if (type === 'ping') this.#pingedAt = performance.now();
    });
    socket.on('heartbeat', () => {
      if (this.#pingedAt !== undefined) this.latencyMs = performance.now() - this.#pingedAt;
      this.#pingedAt = undefined;
    });
  }

  get open(): boolean {
    return !this.#ended && this.#socket.readyState === 'open';
  }

  get full(): boolean {
    return this.#heldBytes >= roomBytes;
  }

  write(message: Encoded): void {
    if (!this.open) return;
    this.#heldBytes += message.bytes.length;
    if (message instanceof TiedAnswer) {
      message.acknowledge(message.message);
      return;
    }
    const { text, options } = message.as(asPacket);
    this.#socket.write(text, options as object);
  }

  end(code: number, reason: CloseReason): void {
    if (!this.open) return;
    this.#socket.write(closingMessage(code, reason).as(asPacket).text);
    if (!passing.includes(code)) this.#socket.write(disconnect);
    this.#ended = true;
    this.#socket.close();
  }

  cut(): void {
    this.#stream.destroy();
  }
}
