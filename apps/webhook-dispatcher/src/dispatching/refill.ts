/** How long those that may wait do so, in milliseconds: the shortest that a timer can. */
const momentMs = 1;

/**
 * Calls something again and again, once for all that asks for it in one turn of the event loop. What may wait a moment for more
 * of the like does: requests that leave together wake the receiver once, and its answers come together.
 */
export class Refill {
  readonly #run: () => void;
  #soon: NodeJS.Immediate | undefined;
  #later: NodeJS.Timeout | undefined;

  /** @param run what is called */
  constructor(run: () => void) {
    this.#run = run;
  }

  /** @param mayWait whether it is soon enough in a moment */
  ask(mayWait: boolean): void {
    if (this.#soon) return;
    if (mayWait) this.#later ??= setTimeout(() => this.#now(), momentMs);
    else this.#soon = setImmediate(() => this.#now());
  }

  /** What was asked for is being done. */
  clear(): void {
    clearImmediate(this.#soon);
    clearTimeout(this.#later);
    this.#soon = undefined;
    this.#later = undefined;
  }

  #now(): void {
    this.clear();
    this.#run();
  }
}
