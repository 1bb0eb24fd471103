/** A number of things that may go on at once. Whoever finds none free is told of the next one, in the order of asking. */
export class Slots {
  readonly #size: number;
  #taken = 0;
  readonly #waiting = new Set<() => void>();

  constructor(size: number) {
    this.#size = size;
  }

  /** How many are taken. */
  get taken(): number {
    return this.#taken;
  }

  /** Take one. @param whenFree called once, when one is free again, if none is now */
  take(whenFree: () => void): boolean {
    if (this.#taken < this.#size) {
      this.#taken++;
      return true;
    }
    this.#waiting.add(whenFree);
    return false;
  }

  /** Give one back. */
  release(): void {
    this.#taken--;
    const [next] = this.#waiting;
    if (!next) return;
    this.#waiting.delete(next);
    next();
  }
}
