import { type Priority, priorities } from '@claude-cli/shared/amqp/topology';

/** How many executions of each priority are taken in one round while all of them wait. */
export const weights: Readonly<Record<Priority, number>> = { high: 6, normal: 3, low: 1 };

/**
 * In which order queues are asked for the next execution: in a round, first the share of high, then of normal, then of
 * low, so that low is served once in ten however much waits above it. A share that nobody wants goes to the others.
 */
export class WeightedOrder {
  #left = { ...weights };

  /** The queues, in the order to ask them. */
  next(): Priority[] {
    return [...priorities.filter((p) => this.#left[p] > 0), ...priorities.filter((p) => this.#left[p] === 0)];
  }

  /** One was taken from this queue. */
  took(priority: Priority): void {
    // Only queues that have had their share were left: the next round begins.
    if (this.#left[priority] === 0) this.#left = { ...weights };
    this.#left[priority]--;
  }
}
