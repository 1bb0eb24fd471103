/** A map that holds so many entries at most: the one that was set least recently goes first. */
export class BoundedMap<Key, Value> {
  readonly #entries = new Map<Key, Value>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  /** The value of a key. */
  get(key: Key): Value | undefined {
    return this.#entries.get(key);
  }

  /** Set a value. */
  set(key: Key, value: Value): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size <= this.#max) return;
    for (const first of this.#entries.keys()) {
      this.#entries.delete(first);
      break;
    }
  }

  /** Forget a key. */
  delete(key: Key): void {
    this.#entries.delete(key);
  }
}
