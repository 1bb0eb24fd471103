/** What was learnt of endpoints, for a time that begins anew whenever it is noted. Kept over turns of this process. */
export class Lately<Value> {
  readonly #forMs: number;
  readonly #known = new Map<string, { value: Value; until: number }>();

  /** @param forMs how long it holds */
  constructor(forMs: number) {
    this.#forMs = forMs;
  }

  /** Note it. */
  set(id: string, value: Value, now = performance.now()): void {
    this.#known.set(id, { value, until: now + this.#forMs });
  }

  /** What is known; undefined when nothing is, or not any more. */
  get(id: string, now = performance.now()): Value | undefined {
    const known = this.#known.get(id);
    return known && known.until > now ? known.value : undefined;
  }

  /** Forget what does not hold any more. */
  prune(now = performance.now()): void {
    for (const [id, { until }] of this.#known) if (until <= now) this.#known.delete(id);
  }
}
