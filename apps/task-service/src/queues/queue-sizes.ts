import type { Priority } from '@claude-cli/shared/amqp/topology';
import { Recent } from '@claude-cli/shared/recent';
import { type ExecutionModel, rankOf } from '../executions/execution.ts';
import { byPriority } from './queue-name.ts';

/** How long a count is used, in milliseconds: until when as it is, and until when while it is made anew. */
const counted = { freshMs: 1_000, usableMs: 2_000 };

/** A count, and how many this process had added by then. */
interface Count {
  stored: number;
  added: number;
}

/**
 * How many executions are queued, and how many of those are ready, by priority. Counting takes the longer the more there are, so
 * it is done once a second; what this process queues and starts meanwhile is added to it and taken from it. What it is about
 * to queue counts as queued. So one process knows its queues exactly as far as they grow, and of what others queue it is a
 * second late.
 */
export class QueueSizes {
  readonly #executions: ExecutionModel;
  readonly #most: number;
  readonly #recent = new Recent<Count>({ ...counted, max: 6 });
  readonly #added = { queued: byPriority(() => 0), ready: byPriority(() => 0) };
  /** Of what was added to the queued ones: what is not stored yet. */
  readonly #unstored = byPriority(() => 0);

  /** @param most where counting ends */
  constructor(executions: ExecutionModel, most: number) {
    this.#executions = executions;
    this.#most = most;
  }

  /** Executions that are queued. */
  queued(priority: Priority): Promise<number> {
    return this.#size('queued', priority, {});
  }

  /** Those of them that wait for nothing but their turn. */
  ready(priority: Priority): Promise<number> {
    return this.#size('ready', priority, { waiting_for: 'turn' });
  }

  /** Store one that is queued now, or that comes from another queue. */
  async adding<Result>(priority: Priority, isReady: boolean, store: () => Promise<Result>): Promise<Result> {
    this.#added.queued[priority]++;
    this.#unstored[priority]++;
    try {
      const result = await store();
      if (isReady) this.#added.ready[priority]++;
      return result;
    } catch (error) {
      this.#added.queued[priority]--;
      throw error;
    } finally {
      this.#unstored[priority]--;
    }
  }

  /** One has left its queue. */
  left(priority: Priority, wasReady: boolean): void {
    this.#added.queued[priority]--;
    if (wasReady) this.#added.ready[priority]--;
  }

  /** Count anew the next time: much has changed at once. */
  forget(): void {
    this.#recent.clear();
  }

  async #size(kind: 'queued' | 'ready', priority: Priority, more: { waiting_for?: 'turn' }): Promise<number> {
    const { stored, added } = await this.#recent.get(`${kind} ${priority}`, async () => {
      // What is stored while it is counted is perhaps counted twice: rather that than not at all.
      const before = this.#added[kind][priority] - (kind === 'queued' ? this.#unstored[priority] : 0);
      const filter = { status: 'queued' as const, rank: rankOf(priority), ...more };
      return { stored: await this.#executions.countDocuments(filter, { limit: this.#most }), added: before };
    });
    return Math.max(0, stored + this.#added[kind][priority] - added);
  }
}
