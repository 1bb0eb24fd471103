/** Something that waits to begin. */
interface Waiting {
  weight: number;
  begin: () => Promise<unknown>;
}

/**
 * Begins what it is given in that order, the next whenever less is under way than may be. So a burst is worked off piece by piece:
 * what was begun does not wait for the beginning of all the rest.
 */
export class Limiter {
  readonly #most: number;
  readonly #waiting = new Set<Waiting>();
  #underWay = 0;

  /** @param most weight that is under way at once; the last that is begun may exceed it */
  constructor(most: number) {
    this.#most = most;
  }

  /** Do something once it is its turn. @param weight what it counts while it is under way */
  run<Result>(weight: number, work: () => Promise<Result>): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const begin = async () => await work();
    this.#waiting.add({ weight, begin: () => begin().then(resolve, reject) });
    this.#begin();
    return promise;
  }

  #begin(): void {
    for (const next of this.#waiting) {
      if (this.#underWay >= this.#most) return;
      this.#waiting.delete(next);
      this.#underWay += next.weight;
      void next.begin().then(() => {
        this.#underWay -= next.weight;
        this.#begin();
      });
    }
  }
}
