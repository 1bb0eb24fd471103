import type { Priority } from '@claude-cli/shared/amqp/topology';
import { Recent } from '@claude-cli/shared/recent';
import type { QueryFilter } from 'mongoose';
import { driverOf, type Execution, type ExecutionModel, rankOf } from '../executions/execution.ts';
import type { NewlyReady } from './newly-ready.ts';

/** Up to so many that are ahead are counted each time; more are estimated. */
const countedAhead = 200;
/** How long the places of all are used, in milliseconds: until when as they are, and until when while they are read anew. */
const read = { freshMs: 2_000, usableMs: 10_000 };

/** Where executions stand among the ready ones of their priority, for a bounded cost however many there are. */
export class ReadyPlaces {
  readonly #executions: ExecutionModel;
  readonly #newlyReady: NewlyReady;
  readonly #most: number;
  readonly #recent = new Recent<Float64Array>({ ...read, max: 3 });

  /** @param most places that are read */
  constructor(executions: ExecutionModel, newlyReady: NewlyReady, most: number) {
    this.#executions = executions;
    this.#newlyReady = newlyReady;
    this.#most = most;
  }

  /** How many of its priority are before it: exact where it is few, else as it was some seconds ago. */
  async ahead({ priority, fair_at, _id }: Pick<Execution, 'priority' | 'fair_at' | '_id'>): Promise<number> {
    const known = (await this.#newlyReady.all(priority)).findIndex((head) => head._id === _id);
    if (known >= 0) return known;
    const ready = { status: 'queued' as const, rank: rankOf(priority), waiting_for: 'turn' as const };
    // Apart, so that each is answered by the bounds of an index alone: nothing but keys is read.
    const earlier: QueryFilter<Execution>[] =
      fair_at === null
        ? [ready]
        : [
            { ...ready, fair_at: { $lt: fair_at } },
            { ...ready, fair_at, _id: { $lt: _id } },
          ];
    const counts = await Promise.all(
      earlier.map((filter) => this.#executions.countDocuments(filter, { limit: countedAhead })),
    );
    const few = counts.reduce((sum, count) => sum + count, 0);
    if (few < countedAhead) return few;
    const places = await this.#recent.get(priority, () => this.#read(priority));
    return Math.max(countedAhead, fair_at === null ? places.length : below(places, fair_at));
  }

  async #read(priority: Priority): Promise<Float64Array> {
    const ready = { status: 'queued' as const, rank: rankOf(priority), waiting_for: 'turn' as const };
    const cursor = driverOf(this.#executions)
      .find(ready, { projection: { _id: 0, fair_at: 1 }, batchSize: 5_000, limit: this.#most })
      .sort({ fair_at: 1 });
    const places = new Float64Array(this.#most);
    let count = 0;
    for await (const { fair_at } of cursor) places[count++] = fair_at ?? 0;
    return places.slice(0, count);
  }
}

/** How many of the sorted numbers are below a number. */
function below(sorted: Float64Array, number: number): number {
  let [from, to] = [0, sorted.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((sorted[middle] ?? Number.POSITIVE_INFINITY) < number) from = middle + 1;
    else to = middle;
  }
  return from;
}
