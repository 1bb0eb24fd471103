import { Lately } from './lately.ts';

/** What the latest answer counts for in the mean. */
const share = 0.2;

/** How fast endpoints answered lately, the latest ones counting most. */
export class Speeds {
  readonly #means: Lately<number>;
  /** Those that answered a moment ago. */
  readonly #answering: Lately<true>;
  readonly #fastMs: number;

  /**
   * @param fastMs how long a fast endpoint takes at most
   * @param forMs how long it is remembered
   */
  constructor(fastMs: number, forMs: number) {
    this.#fastMs = fastMs;
    this.#means = new Lately(forMs);
    this.#answering = new Lately(2 * fastMs);
  }

  /** An answer took so long. */
  note(id: string, ms: number): void {
    const mean = this.#means.get(id) ?? ms;
    this.#means.set(id, mean + (ms - mean) * share);
    this.#answering.set(id, true);
  }

  /** Whether an endpoint has answered something in the time that two fast answers may take. */
  isAnswering(id: string): boolean {
    return this.#answering.get(id) ?? false;
  }

  /** An answer is not there in time: slow, until as many answers as a few have shown otherwise. */
  noteLate(id: string): void {
    this.#means.set(id, 2 * this.#fastMs);
  }

  /** Whether an endpoint is fast, as far as is known. */
  isFast(id: string): boolean {
    return (this.#means.get(id) ?? 0) <= this.#fastMs;
  }

  /** Forget what is too long ago. */
  prune(): void {
    this.#means.prune();
    this.#answering.prune();
  }
}
