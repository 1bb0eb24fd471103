/** How many requests per second each endpoint gets in the long run, and as many at once. Kept over turns of this process. */
export class Pace {
  readonly #intervalMs: number;
  readonly #burstMs = 1_000;
  /** When the requests made so far would be through if none had come early. */
  readonly #through = new Map<string, number>();

  constructor(perSecond: number) {
    this.#intervalMs = 1_000 / perSecond;
  }

  /** Take one, if it may be sent now. @returns milliseconds to wait otherwise, 0 when it was taken */
  take(id: string, now = performance.now()): number {
    const through = Math.max(this.#through.get(id) ?? 0, now);
    const earlyMs = through + this.#intervalMs - now - this.#burstMs;
    // Fractions of an interval add up to less than a request.
    if (earlyMs > 1e-6) return earlyMs;
    this.#through.set(id, through + this.#intervalMs);
    return 0;
  }

  /** Forget endpoints that sent nothing lately. */
  prune(now = performance.now()): void {
    for (const [id, through] of this.#through) if (through <= now) this.#through.delete(id);
  }
}
