import { priorities } from '@claude-cli/shared/amqp/topology';
import type { Context } from '../context.ts';
import { type Execution, rankOf } from '../executions/execution.ts';
import { placeOf, waitOf } from './forecast.ts';
import { recentOverview } from './overview.ts';
import { byPriority } from './queue-name.ts';

/**
 * Where an execution stands in the order of service, and when its turn should come (see placeOf and waitOf). What waits in
 * another queue that is paused is not ahead. While its own queue is paused, the time is the one as if it were resumed now.
 */
export async function placeInQueue(
  ctx: Context,
  { priority, queued_at }: Execution,
): Promise<{ position: number; estimatedStart: Date }> {
  const { executions, queues, config } = ctx;
  const count = (filter: object) => executions.countDocuments(filter, { limit: config.QUEUE_LIMIT });
  const earlier = { rank: rankOf(priority), queued_at: { $lt: queued_at } };
  const [ahead, counts, states, { outlook }] = await Promise.all([
    count({ status: 'queued', ...earlier }),
    Promise.all(priorities.map((other) => (other === priority ? 0 : count({ status: 'queued', rank: rankOf(other) })))),
    queues.states.find({ _id: { $in: priorities } }, { paused: 1 }).lean(),
    recentOverview(ctx),
  ]);
  const paused = new Set(states.filter((state) => state.paused).map((state) => state._id));
  const waiting = byPriority((other) => (paused.has(other) ? 0 : (counts[rankOf(other)] ?? 0)));
  const position = placeOf(priority, ahead, waiting);
  return { position, estimatedStart: new Date(Date.now() + waitOf(position, outlook)) };
}
