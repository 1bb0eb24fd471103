import type { CancelledTask, CancelTaskRequest } from '@claude-cli/proto/platform/v1/tasks';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import { guardedUpdate } from '@claude-cli/shared/guarded-update';
import type { Context } from '../context.ts';
import { findTaskToChange } from '../tasks/find-task.ts';
import { eventOfStatus } from '../tasks/status-event.ts';
import { requireTransition, taskNotFound, withStatus } from '../tasks/task.ts';
import { cancelExecution } from './cancel-execution.ts';

/** Cancel a task, with its execution when it has one. */
export async function cancelTask(ctx: Context, request: CancelTaskRequest, call: Call): Promise<CancelledTask> {
  const { task_id } = request;
  await findTaskToChange(ctx, task_id, call);
  const reason = request.reason ?? null;
  const by = call.caller.user_id;
  const execution = await ctx.executions.findOne({ task_id, active: true }).lean();
  if (execution) await cancelExecution(ctx, execution, { by, reason, at: new Date() });
  else await cancelByHand(ctx, task_id, call, reason);
  return { task_id, status: 'cancelled', cancelled_at: new Date().toISOString(), reason: request.reason };
}

async function cancelByHand(ctx: Context, task_id: string, { caller }: Call, reason: string | null): Promise<void> {
  const { document } = await guardedUpdate(
    ctx.tasks,
    task_id,
    () => taskNotFound(task_id),
    (task) => {
      if (task.status === 'cancelled') {
        throw new PlatformError('TASK_CANCELLED', 'The task is cancelled already', { task_id });
      }
      requireTransition(task.status, 'cancelled');
      const set = withStatus(task, 'cancelled');
      const after = { ...task, ...set, updated_at: new Date(), version: task.version + 1 };
      const changes = [{ field: 'status', old_value: task.status, new_value: 'cancelled' }];
      const run = { execution_id: null, requested_by: null, exit_code: null, error: null, reason, timed_out: false };
      return { set, events: [eventOfStatus(after, changes, caller.user_id, run, caller.session_id)] };
    },
  );
  void ctx.taskOutbox.flush(document);
}
