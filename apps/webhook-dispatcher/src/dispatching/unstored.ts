import type { Delivery } from '../deliveries/delivery.ts';
import { type Result, succeededBy } from './results.ts';

/**
 * A delivery that is sent before it is stored, so that it and its success are one write. Its turn sends it, and whoever made it
 * stores it, with the success if there is one by then:
 *
 *   offered ──▶ being sent ──2xx──▶ closed with its success ──▶ stored: nothing is left to do
 *      └────────────┴─anything else, or it takes long──▶ closed as it was ──▶ stored: the result follows as that of any other
 *
 * A process that dies before has acknowledged no event: the event comes again, and makes the same delivery.
 */
export class Unstored {
  readonly delivery: Delivery;
  readonly #ended = Promise.withResolvers<void>();
  readonly #stored = Promise.withResolvers<boolean>();
  #success: Result | undefined;
  #closed = false;
  #over = false;
  #sentAt: number | undefined;

  constructor(delivery: Delivery) {
    this.delivery = delivery;
  }

  /** Resolves when the attempt is over, however it went, or takes long. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** It is being sent now. */
  sent(): void {
    this.#sentAt = performance.now();
  }

  /** For how many milliseconds it has been being sent; 0 when it still waits for its turn. */
  get sentForMs(): number {
    return this.#sentAt === undefined ? 0 : performance.now() - this.#sentAt;
  }

  /** It takes long. @returns false when it is over */
  giveUp(): boolean {
    this.#ended.resolve();
    return !this.#over;
  }

  /**
   * The attempt is over. Resolves when the delivery is stored.
   * @param result undefined: nothing is known of it
   * @returns whether the result is stored with it, so that nothing is left to be stored
   */
  settle(result?: Result): Promise<boolean> {
    const isCarried = !this.#closed && result?.verdict.status === 'succeeded' && result.health === undefined;
    if (isCarried) this.#success = result;
    this.#over = true;
    this.#ended.resolve();
    return isCarried ? this.#stored.promise : this.#stored.promise.then(() => false);
  }

  /** It is going to be stored as this; what comes of it later comes too late for that. */
  close(): Delivery {
    this.#closed = true;
    return this.#success ? succeededBy(this.delivery, this.#success) : this.delivery;
  }

  /**
   * It is stored now, or never will be, and its event comes again.
   * @param wasThere an earlier one was in its place and stays as it was
   */
  stored(wasThere: boolean): void {
    this.#stored.resolve(!wasThere);
  }
}
