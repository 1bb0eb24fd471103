import { type Priority, priorities, shares } from '@claude-cli/shared/amqp/topology';

/**
 * In which order queues are asked for the next execution: in a round, first the share of high, then of normal, then of
 * low, so that low is served once in ten however much waits above it. A share that nobody wants goes to the others.
 */
export class WeightedOrder {
  #left = { ...shares };

  /** The queues, in the order to ask them. */
  next(): Priority[] {
    return [...priorities.filter((p) => this.#left[p] > 0), ...priorities.filter((p) => this.#left[p] === 0)];
  }

  /** One was taken from this queue. */
  took(priority: Priority): void {
    // Only queues that have had their share were left: the next round begins.
    if (this.#left[priority] === 0) this.#left = { ...shares };
    this.#left[priority]--;
  }
}
