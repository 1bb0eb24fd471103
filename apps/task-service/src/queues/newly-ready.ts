import { type Priority, priorities } from '@claude-cli/shared/amqp/topology';
import type { Head } from '../executions/claim-reads.ts';
import type { QueueSizes } from './queue-sizes.ts';

/** How many of a priority are remembered, and for how long, in milliseconds: who waits longer does not wait alone. */
const kept = { most: 100, forMs: 2_000 };

/**
 * Executions that this process has just queued. Where they are all that is ready, as a small load leaves it, a claim knows the
 * first in turn, and a place in the queue is known, without asking the database. What others queue is known a second late, as QueueSizes is: by so much the order
 * among replicas is not exact. Whether one can still be had, the update that takes it decides.
 */
export class NewlyReady {
  readonly #sizes: Pick<QueueSizes, 'ready'>;
  readonly #heads = new Map<Priority, Map<string, Head>>(priorities.map((priority) => [priority, new Map()]));

  constructor(sizes: Pick<QueueSizes, 'ready'>) {
    this.#sizes = sizes;
  }

  /** One was queued and is ready. */
  add(head: Head): void {
    const heads = this.#heads.get(head.priority);
    heads?.set(head._id, head);
    const [oldest] = heads?.keys() ?? [];
    if (oldest !== undefined && Number(heads?.size) > kept.most) heads?.delete(oldest);
  }

  /** One was taken, or cannot be. */
  delete({ _id, priority }: Pick<Head, '_id' | 'priority'>): void {
    this.#heads.get(priority)?.delete(_id);
  }

  /** All that is ready of a priority, in turn; none where there may be more. */
  async all(priority: Priority): Promise<Head[]> {
    const since = Date.now() - kept.forMs;
    const remembered = [...(this.#heads.get(priority)?.values() ?? [])];
    const heads = remembered.filter(({ queued_at }) => queued_at.getTime() >= since);
    for (const head of remembered) if (!heads.includes(head)) this.delete(head);
    if (heads.length === 0 || (await this.#sizes.ready(priority)) !== heads.length) return [];
    return heads.sort((a, b) => Number(a.fair_at) - Number(b.fair_at) || (a._id < b._id ? -1 : 1));
  }
}
