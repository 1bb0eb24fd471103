import type { Context } from '../context.ts';
import { recordHistory } from './history.ts';

/** Tasks with untold events that one call looks at: usually there are hardly any. */
const maxTasks = 5_000;

/**
 * Record what a session caused since a point in time and still waits in outboxes, so that its history is complete.
 * Whoever tells those events later finds them recorded.
 */
export async function recordWaiting(ctx: Context, session_id: string, since: Date): Promise<void> {
  const waiting = ctx.tasks
    .find({ 'outbox.time': { $gte: since.toISOString() } }, { outbox: 1 })
    .limit(maxTasks)
    .lean()
    .cursor({ batchSize: 200 });
  for await (const { outbox } of waiting) {
    for (const event of outbox) if (event.session_id === session_id) await recordHistory(ctx.history, event);
  }
}
