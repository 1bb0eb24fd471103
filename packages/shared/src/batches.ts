import { Pace, type PaceRules } from './pace.ts';

/** How many are done together. */
export interface BatchRules {
  /** Items of one batch at most. A batch that is full waits for nothing. */
  most: number;
  /** Milliseconds for which the first item of a batch waits for others; absent: none waits while no batch is under way. */
  gatherMs?: number;
  /**
   * How often batches begin; absent: one after the other. Only what keeps coming faster than that waits, so that more of it is
   * done at once.
   */
  pace?: PaceRules;
  /** Batches that are under way at once; one when absent. */
  width?: number;
  /** Whether so many are worth no wait for more; absent: only a batch that is full is. */
  isEnough?: (count: number) => boolean;
}

interface Waiting<Item, Result> {
  item: Item;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/**
 * Does for many at once what is asked for one by one. A batch begins at the end of the turn of the event loop in which
 * something is asked for; while as many are under way as may be, the next one gathers, so batches are the larger the more there
 * is to do. What is asked for is begun after it was asked for: a read shows what was written before.
 */
export class Batches<Item, Result> implements AsyncDisposable {
  readonly #run: (items: Item[]) => Promise<readonly (Result | Error)[]>;
  readonly #rules: BatchRules;
  readonly #pace: Pace | undefined;
  #waiting: Waiting<Item, Result>[] = [];
  /** How many work on batches, of which one may be gathering the next. */
  #workers = 0;
  #isGathering = false;
  /** Resolved when nobody works any more. */
  #idle = Promise.withResolvers<void>();
  /** Ends the present wait for more. */
  #beginNow: (() => void) | undefined;
  #isEnding = false;

  /** @param run answers for each item, in their order; an Error fails that item alone, a rejection all of them */
  constructor(run: (items: Item[]) => Promise<readonly (Result | Error)[]>, rules: BatchRules) {
    this.#run = run;
    this.#rules = rules;
    this.#pace = rules.pace && new Pace(rules.pace);
  }

  /** Do it with the next batch. Callers bound how many wait, by waiting themselves. */
  add(item: Item): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#workMore();
      if (this.#isEnough()) this.#beginNow?.();
    });
  }

  /** Waits for what was asked for; from now on nothing gathers. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true;
    this.#beginNow?.();
    if (this.#workers > 0) await this.#idle.promise;
  }

  #workMore(): void {
    if (this.#isGathering || this.#waiting.length === 0 || this.#workers >= (this.#rules.width ?? 1)) return;
    if (this.#workers++ === 0) this.#idle = Promise.withResolvers();
    void this.#work();
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#isGathering) {
      this.#isGathering = true;
      const waitedMs = await this.#gather();
      this.#isGathering = false;
      const batch = this.#waiting.splice(0, this.#rules.most);
      this.#pace?.begin(batch.length, waitedMs);
      this.#workMore();
      const results = await this.#run(batch.map(({ item }) => item)).catch((error) => error);
      for (const [n, { resolve, reject }] of batch.entries()) {
        const result = Array.isArray(results) ? results[n] : results;
        if (result instanceof Error || !Array.isArray(results)) reject(result);
        else resolve(result);
      }
    }
    if (--this.#workers === 0) this.#idle.resolve();
  }

  #isEnough(): boolean {
    const { most, isEnough } = this.#rules;
    const count = this.#waiting.length;
    return count >= most || isEnough?.(count) === true;
  }

  /** @returns for how many milliseconds, when nothing has cut that short */
  async #gather(): Promise<number> {
    const { gatherMs = 0 } = this.#rules;
    const waitMs = Math.max(gatherMs, this.#pace?.waitMs ?? 0);
    if (waitMs === 0 || this.#isEnding || this.#isEnough()) {
      await new Promise(setImmediate);
      return 0;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#beginNow = resolve;
    const timer = setTimeout(resolve, waitMs);
    await promise;
    clearTimeout(timer);
    this.#beginNow = undefined;
    return waitMs;
  }
}

/** Do with a batch what can be done together for items of the same key; what fails, fails for those alone. */
export async function inGroups<Item, Result>(
  items: readonly Item[],
  keyOf: (item: Item) => string,
  run: (group: Item[]) => Promise<readonly Result[]>,
): Promise<(Result | Error)[]> {
  const results = new Array<Result | Error>(items.length);
  const doOne = async (places: number[]) => {
    const group = places.map((place) => items[place] as Item);
    const answers = await run(group).catch((error) => (error instanceof Error ? error : new Error(String(error))));
    for (const [n, place] of places.entries()) {
      results[place] = answers instanceof Error ? answers : (answers[n] as Result);
    }
  };
  const groups = Map.groupBy(items.keys(), (place) => keyOf(items[place] as Item));
  await Promise.all([...groups.values()].map(doOne));
  return results;
}
