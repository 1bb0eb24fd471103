/** How often something begins: after a pause, so many times at once; one after the other, once in so many milliseconds. */
export interface PaceRules {
  everyMs: number;
  /** At least 1. */
  burst: number;
}

/** How many need not wait after one that has waited in vain. */
const spared = 6;

/**
 * Spaces out what costs the same whether it does much or little, so that what keeps coming is done together. What comes now and
 * then does not wait at all. Where one is caused by the other, waiting brings nothing, and most do not wait either.
 */
export class Pace {
  readonly #rules: PaceRules;
  readonly #now: () => number;
  /** When the next may begin. */
  #next = Number.NEGATIVE_INFINITY;

  /** @param now milliseconds of a clock that never goes back */
  constructor(rules: PaceRules, now: () => number = () => performance.now()) {
    this.#rules = rules;
    this.#now = now;
  }

  /** Milliseconds until the next may begin; 0 when it may begin now. */
  get waitMs(): number {
    return Math.max(0, this.#next - this.#now());
  }

  /**
   * One begins.
   * @param items how much it does
   * @param waitedMs for how long that was gathered, by the pace
   */
  begin(items: number, waitedMs: number): void {
    const { everyMs, burst } = this.#rules;
    const now = this.#now();
    // What waited for less may just have been alone by chance.
    if (items === 1 && waitedMs >= everyMs / 2) this.#next = Math.min(this.#next, now - spared * everyMs);
    // Those that did not wait, because there was enough to do, leave no longer wait to others.
    this.#next = Math.min(Math.max(this.#next, now - (burst - 1) * everyMs), now) + everyMs;
  }
}
