import type { AnyEvent } from '@claude-cli/shared/events';
import type { Context } from '../context.ts';

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
  const events: AnyEvent[] = [];
  for await (const { outbox } of waiting) events.push(...outbox.filter((event) => event.session_id === session_id));
  await Promise.all(events.map((event) => ctx.recorder.record(event)));
}
