import type { ClearedQueue, ClearQueueRequest } from '@claude-cli/proto/platform/v1/queues';
import type { Priority } from '@claude-cli/shared/amqp/topology';
import { invalidField } from '@claude-cli/shared/errors';
import { newEvent } from '@claude-cli/shared/events';
import { isLate } from '@claude-cli/shared/grpc/interceptor';
import type { Call } from '@claude-cli/shared/grpc/server';
import { guardedUpdate } from '@claude-cli/shared/guarded-update';
import type { Context } from '../context.ts';
import { cancelManyWaiting } from '../executions/cancel-many-waiting.ts';
import { rankOf } from '../executions/execution.ts';
import { forgetOverview } from './overview.ts';
import { nameOf, priorityOf } from './queue-name.ts';
import { queueNotFound } from './queue-state.ts';

/** Executions that are cancelled together; their tasks have heard of it before the next ones are. */
const batch = 200;
/** Left of the time of the call when no further ones are begun, in milliseconds, so that the answer arrives. */
const answerMs = 3_000;

/**
 * Cancel everything that waits in a queue when this is asked, or as much of it as the time of the call allows. What starts
 * meanwhile, and what comes later, is left.
 */
export async function clearQueue(ctx: Context, request: ClearQueueRequest, call: Call): Promise<ClearedQueue> {
  const priority = priorityOf(request.queue_name);
  if (request.confirm !== true) throw invalidField('confirm', 'must be true, because what waits is lost');
  const asked = { by: call.caller.user_id, reason: 'queue cleared', at: new Date() };
  const filter = { status: 'queued' as const, rank: rankOf(priority), queued_at: { $lte: asked.at } };
  let cleared_count = 0;
  try {
    while (!isLate(call, answerMs)) {
      const waiting = await ctx.executions.find(filter).sort({ queued_at: 1 }).limit(batch).lean();
      if (waiting.length === 0) break;
      cleared_count += await cancelManyWaiting(ctx, waiting, asked);
    }
  } finally {
    // Told also when the caller left or the database failed on the way: so many are gone.
    await tellCleared(ctx, priority, cleared_count, call);
    forgetOverview(ctx);
  }
  return { queue_name: nameOf(priority), cleared_count, cleared_at: new Date().toISOString() };
}

async function tellCleared(ctx: Context, priority: Priority, cleared_count: number, call: Call): Promise<void> {
  const { user_id, session_id } = call.caller;
  const { document } = await guardedUpdate(
    ctx.queues.states,
    priority,
    () => queueNotFound(priority),
    ({ version }) => {
      const about = { actor: user_id, project_id: null, version: version + 1, session_id };
      return { set: {}, events: [newEvent('queue.cleared', about, { queue_name: nameOf(priority), cleared_count })] };
    },
  );
  void ctx.queues.outbox.flush(document);
}
