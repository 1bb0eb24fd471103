/** Keys that are counted at most; of more of them all are forgotten, so that each is due once too often. */
const mostKeys = 10_000;

/** Says of each key when something is due that need not be done every time: the first time, and every n-th after it. */
export class EveryNth {
  readonly #counts = new Map<string, number>();
  readonly #n: number;

  constructor(n: number) {
    this.#n = n;
  }

  /** Count one. */
  isDue(key: string): boolean {
    const count = this.#counts.get(key) ?? 0;
    if (this.#counts.size >= mostKeys && count === 0) this.#counts.clear();
    this.#counts.set(key, count + 1);
    return count % this.#n === 0;
  }
}
