/** Calls that may be cancelled at once, and per second from then on. */
const burst = 200;
const perSecond = 15;

/**
 * How many calls may be cancelled because their callers left. A service takes a connection with many cancelled calls for
 * an attack and ends it, together with the calls of everybody else: Node's HTTP/2 server does so after 1,000 at once or
 * 33 per second. Calls beyond the budget run to their end, or to their deadline, and nobody reads the answer.
 */
export class CancelBudget {
  #left = burst;
  #at: number;

  constructor(now = performance.now()) {
    this.#at = now;
  }

  /** Take one cancellation; false when none is left. */
  take(now = performance.now()): boolean {
    this.#left = Math.min(burst, this.#left + ((now - this.#at) / 1000) * perSecond);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
