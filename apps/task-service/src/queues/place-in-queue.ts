import { priorities } from '@claude-cli/shared/amqp/topology';
import type { Context } from '../context.ts';
import { type Execution, rankOf } from '../executions/execution.ts';
import { placeOf, waitOf } from './forecast.ts';
import { recentOverview } from './overview.ts';
import { byPriority } from './queue-name.ts';

/** Where an execution stands, and when its turn should come. */
export interface PlaceInQueue {
  /** From 1. */
  position: number;
  estimatedStart: Date;
}

/**
 * Where an execution stands in the order of service, and when its turn should come (see placeOf and waitOf). What waits for
 * something else than its turn, and what waits in another queue that is paused, is not ahead. While its own queue is paused,
 * the time is the one as if it were resumed now; one that has no place yet is counted behind all others.
 */
export async function placeInQueue(ctx: Context, execution: Execution): Promise<PlaceInQueue> {
  const { priority, fair_at = null, _id } = execution;
  const { executions, queues, config } = ctx;
  const ready = (rank: number) => ({ status: 'queued' as const, rank, waiting_for: 'turn' as const });
  const count = (filter: object) => executions.countDocuments(filter, { limit: config.QUEUE_LIMIT });
  const mine = ready(rankOf(priority));
  const earlier =
    fair_at === null
      ? [mine]
      : [
          { ...mine, fair_at: { $lt: fair_at } },
          { ...mine, fair_at, _id: { $lt: _id } },
        ];
  const [ahead, counts, states, { outlook }] = await Promise.all([
    Promise.all(earlier.map(count)),
    Promise.all(priorities.map((other) => (other === priority ? 0 : count(ready(rankOf(other)))))),
    queues.states.find({ _id: { $in: priorities } }, { paused: 1 }).lean(),
    recentOverview(ctx),
  ]);
  const paused = new Set(states.filter((state) => state.paused).map((state) => state._id));
  const waiting = byPriority((other) => (paused.has(other) ? 0 : (counts[rankOf(other)] ?? 0)));
  const position = placeOf(
    priority,
    ahead.reduce((sum, each) => sum + each, 0),
    waiting,
  );
  return { position, estimatedStart: new Date(Date.now() + waitOf(position, outlook)) };
}
