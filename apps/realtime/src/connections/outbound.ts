import { WebSocket } from 'ws';
import type { Limits } from '../limits.ts';
import { type Encoded, gapMessage } from '../messages/encoded.ts';

/**
 * The way to one client. What a client does not read waits in memory, so it is bounded: above the first limit output is
 * dropped and counted, until half of the limit is left and a gap notice tells how much; above the second limit nothing
 * is sent any more.
 */
export class Outbound {
  readonly #socket: WebSocket;
  readonly #limits: Limits;
  readonly #onTooSlow: () => void;
  #dropped = 0;

  constructor(socket: WebSocket, limits: Limits, onTooSlow: () => void) {
    this.#socket = socket;
    this.#limits = limits;
    this.#onTooSlow = onTooSlow;
  }

  /** Send, drop or give up. */
  send(message: Encoded): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    const waiting = this.#socket.bufferedAmount;
    if (waiting > this.#limits.disconnectBytes) {
      this.#onTooSlow();
      return;
    }
    if (message.droppable && (this.#dropped > 0 || waiting > this.#limits.dropOutputBytes)) {
      this.#dropped += 1;
      return;
    }
    this.#socket.send(message.bytes, { binary: false }, this.#onFlushed);
  }

  readonly #onFlushed = (): void => {
    if (this.#dropped === 0 || this.#socket.bufferedAmount > this.#limits.dropOutputBytes / 2) return;
    const notice = gapMessage('command_output', this.#dropped);
    this.#dropped = 0;
    this.send(notice);
  };
}
