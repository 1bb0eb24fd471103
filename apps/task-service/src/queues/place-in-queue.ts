import { priorities } from '@claude-cli/shared/amqp/topology';
import type { Context } from '../context.ts';
import { type Execution, rankOf } from '../executions/execution.ts';
import { isTaken } from '../executions/take-turn.ts';
import { placeOf, waitOf } from './forecast.ts';
import { forecastOverview } from './overview.ts';
import { byName, byPriority, nameOf } from './queue-name.ts';

/** Where an execution stands, and when its turn should come. */
export interface PlaceInQueue {
  /** From 1. */
  position: number;
  estimatedStart: Date;
}

/**
 * Where an execution stands in the order of service, and when its turn should come (see placeOf and waitOf). What waits for
 * something else than its turn, and what waits in another queue that is paused, is not ahead. While its own queue is paused,
 * the time is the one as if it were resumed now; one that has no place yet is counted behind all others. One that a slot was given
 * as soon as it was queued is the first, and starts now.
 */
export async function placeInQueue(ctx: Context, execution: Execution): Promise<PlaceInQueue> {
  if (isTaken(ctx, execution)) return { position: 1, estimatedStart: new Date() };
  const { priority } = execution;
  const { sizes, places } = ctx.queues;
  const [ahead, ready, { status, outlook }] = await Promise.all([
    places.ahead(execution),
    Promise.all(priorities.map((other) => (other === priority ? 0 : sizes.ready(other)))),
    forecastOverview(ctx),
  ]);
  const queues = status.queues ?? byName(() => undefined);
  const waiting = byPriority((other) => (queues[nameOf(other)]?.paused ? 0 : (ready[rankOf(other)] ?? 0)));
  const position = placeOf(priority, ahead, waiting);
  return { position, estimatedStart: new Date(Date.now() + waitOf(position, outlook)) };
}
