import type { CloseReason, Link } from '../connections/link.ts';
import { closingMessage } from '../messages/closing.ts';
import type { Encoded } from '../messages/encoded.ts';

/** Bytes that are handed over at once; what is above waits within the bounds of the connection. */
const roomBytes = 16_384;

/** The way to a client by messages that somebody takes one after the other. */
export class EventLink implements Link {
  readonly transport = 'sse';
  readonly endsWithSubscriptions = true;
  /** Called when it is not full any more. */
  onRoom: () => void = () => {};
  #ready: Encoded[] = [];
  #bytes = 0;
  #state: 'open' | 'ending' | 'over' = 'open';
  #wake: () => void = () => {};

  get open(): boolean {
    return this.#state === 'open';
  }

  get full(): boolean {
    return this.#bytes >= roomBytes;
  }

  write(message: Encoded): void {
    if (!this.open) return;
    this.#put(message);
  }

  end(code: number, reason: CloseReason): void {
    if (!this.open) return;
    this.#put(closingMessage(code, reason));
    this.#state = 'ending';
  }

  cut(): void {
    this.#state = 'over';
    this.#ready = [];
    this.#wake();
  }

  /** What was written, until it is ended. */
  async *messages(): AsyncGenerator<Encoded, void> {
    for (;;) {
      for (let next = this.#ready.shift(); next; next = this.#ready.shift()) {
        this.#bytes -= next.bytes.length;
        yield next;
        if (!this.full) this.onRoom();
      }
      if (!this.open) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #put(message: Encoded): void {
    this.#ready.push(message);
    this.#bytes += message.bytes.length;
    this.#wake();
  }
}
