import { setTimeout } from 'node:timers/promises';
import type { PauseQueueRequest, QueueState as QueueStateMessage } from '@claude-cli/proto/platform/v1/queues';
import type { Priority } from '@claude-cli/shared/amqp/topology';
import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import { guardedUpdate } from '@claude-cli/shared/guarded-update';
import type { Context } from '../context.ts';
import { rankOf } from '../executions/execution.ts';
import { forgetOverview } from './overview.ts';
import { nameOf, priorityOf } from './queue-name.ts';
import { openForMs, queueNotFound, toProto } from './queue-state.ts';

/** How long nobody takes the queue to be open any more, in milliseconds: more than enough for a timer that is early. */
const closedAfterMs = openForMs * 1.5;
/** Looks for executions without a fence. One is enough unless some move within the index while they are looked for. */
const maxPasses = 5;

/** Let nothing more start from a queue. Once this is answered nothing does, also if it was just being claimed. */
export async function pauseQueue(ctx: Context, request: PauseQueueRequest, call: Call): Promise<QueueStateMessage> {
  const priority = priorityOf(request.queue_name);
  const reason = request.reason ?? null;
  const { document } = await guardedUpdate(
    ctx.queues.states,
    priority,
    () => queueNotFound(priority),
    (state) => {
      if (state.paused && state.reason === reason) return undefined;
      const { user_id, session_id } = call.caller;
      const set = state.paused ? { reason } : { paused: true, reason, paused_at: new Date(), paused_by: user_id };
      const about = { actor: user_id, project_id: null, version: state.version + 1, session_id };
      return { set, events: [newEvent('queue.paused', about, { queue_name: nameOf(priority), reason })] };
    },
  );
  void ctx.queues.outbox.flush(document);
  // Also when nothing changed: the call that paused it may have died before this.
  await setTimeout(closedAfterMs);
  await fenceOff(ctx, priority, document.version);
  forgetOverview(ctx);
  return toProto(document);
}

/** Void the claims that have read an older state than this version and not yet written. */
async function fenceOff({ executions }: Context, priority: Priority, version: number): Promise<void> {
  const open = { status: 'queued' as const, rank: rankOf(priority), fence: { $not: { $gte: version } } };
  for (let pass = 0; pass < maxPasses; pass++) {
    const { modifiedCount } = await executions.updateMany(open, { $set: { fence: version } });
    if (modifiedCount === 0) return;
  }
}
