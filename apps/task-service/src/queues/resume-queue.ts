import type { QueueState as QueueStateMessage, ResumeQueueRequest } from '@claude-cli/proto/platform/v1/queues';
import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import { guardedUpdate } from '@claude-cli/shared/guarded-update';
import type { Context } from '../context.ts';
import { announceSoon } from '../executions/tokens.ts';
import { forgetOverview } from './overview.ts';
import { nameOf, priorityOf } from './queue-name.ts';
import { queueNotFound, toProto } from './queue-state.ts';

/** Let a queue go on. What waits is announced by the next sweep. */
export async function resumeQueue(ctx: Context, request: ResumeQueueRequest, call: Call): Promise<QueueStateMessage> {
  const priority = priorityOf(request.queue_name);
  const { document } = await guardedUpdate(
    ctx.queues.states,
    priority,
    () => queueNotFound(priority),
    (state) => {
      if (!state.paused) return undefined;
      const { user_id, session_id } = call.caller;
      const set = { paused: false, reason: null, paused_at: null, paused_by: null, resumed_at: new Date() };
      const about = { actor: user_id, project_id: null, version: state.version + 1, session_id };
      return { set, events: [newEvent('queue.resumed', about, { queue_name: nameOf(priority) })] };
    },
  );
  void ctx.queues.outbox.flush(document);
  await announceSoon(ctx, priority);
  forgetOverview(ctx);
  return toProto(document);
}
