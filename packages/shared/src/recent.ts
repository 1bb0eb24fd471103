import { LRUCache } from 'lru-cache';

interface Entry<Answer> {
  answer: Promise<Answer>;
  /** When it was there, and how long it took; undefined while it is being made. */
  made?: { at: number; tookMs: number };
  renewing?: boolean;
}

/** An answer is made for a twentieth of the time at most: one that took a second is fresh for 20. */
const share = 20;

/**
 * Answers that are dear to make and may be a little old, by key. Whoever asks while one is being made waits for it; an
 * answer that is no longer fresh is still given while a new one is made behind it; one that is too old is not given. The
 * longer answers take to make, the longer they are used. A failure is not remembered.
 */
export class Recent<Answer> {
  readonly #freshMs: number;
  readonly #usableMs: number;
  readonly #entries: LRUCache<string, Entry<Answer>>;

  /** @param max answers kept; then those that were asked for least recently go */
  constructor({ freshMs, usableMs, max }: { freshMs: number; usableMs: number; max: number }) {
    this.#freshMs = freshMs;
    this.#usableMs = usableMs;
    this.#entries = new LRUCache({ max });
  }

  /** The answer that is known, or else the one that `make` gives. */
  get(key: string, make: () => Promise<Answer>): Promise<Answer> {
    const entry = this.#usable(key);
    if (!entry) return this.#start(key, make).answer;
    if (!entry.renewing && this.#isOlderThan(this.#freshMs, entry)) {
      entry.renewing = true;
      const from = performance.now();
      make().then(
        (answer) => this.set(key, answer, performance.now() - from),
        // The next one who asks tries again.
        () => {
          entry.renewing = false;
        },
      );
    }
    return entry.answer;
  }

  /** Whether an answer is known, or being made. */
  has(key: string): boolean {
    return this.#usable(key) !== undefined;
  }

  /** Remember an answer that was found out otherwise. @param tookMs how long it took to make */
  set(key: string, answer: Answer, tookMs: number): void {
    this.#entries.set(key, { answer: Promise.resolve(answer), made: { at: performance.now(), tookMs } });
  }

  /** Forget an answer. */
  delete(key: string): void {
    this.#entries.delete(key);
  }

  /** Forget all answers. */
  clear(): void {
    this.#entries.clear();
  }

  #usable(key: string): Entry<Answer> | undefined {
    const entry = this.#entries.get(key);
    return entry && !this.#isOlderThan(this.#usableMs, entry) ? entry : undefined;
  }

  #isOlderThan(ageMs: number, { made }: Entry<Answer>): boolean {
    if (!made) return false;
    const longMs = (made.tookMs * share * ageMs) / this.#freshMs;
    return performance.now() - made.at > Math.max(ageMs, longMs);
  }

  #start(key: string, make: () => Promise<Answer>): Entry<Answer> {
    const from = performance.now();
    const entry: Entry<Answer> = { answer: make() };
    this.#entries.set(key, entry);
    entry.answer.then(
      () => {
        entry.made = { at: performance.now(), tookMs: performance.now() - from };
      },
      () => {
        if (this.#entries.peek(key) === entry) this.#entries.delete(key);
      },
    );
    return entry;
  }
}
