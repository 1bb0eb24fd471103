import type { DeleteTaskRequest, DeleteTaskResponse } from '@claude-cli/proto/platform/v1/tasks';
import { PlatformError } from '@claude-cli/shared/errors';
import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import { guardedUpdate } from '@claude-cli/shared/guarded-update';
import type { Context } from '../context.ts';
import { cancelExecution } from '../executions/cancel-execution.ts';
import type { CancelRequest } from '../executions/execution.ts';
import { findTaskToChange } from './find-task.ts';
import { factsOf, taskNotFound } from './task.ts';

/** Delete a task softly; its record and history stay. */
export async function deleteTask(
  ctx: Context,
  { task_id }: DeleteTaskRequest,
  call: Call,
): Promise<DeleteTaskResponse> {
  await findTaskToChange(ctx, task_id, call);
  if (await ctx.executions.exists({ task_id, active: true })) {
    throw new PlatformError('RESOURCE_IN_USE', 'The task is queued or running; cancel it first', { task_id });
  }
  const { user_id, session_id } = call.caller;
  const deleted_at = new Date();
  const { document } = await guardedUpdate(
    ctx.tasks,
    task_id,
    () => taskNotFound(task_id),
    (task) => {
      const about = { actor: user_id, project_id: task.project_id, version: task.version + 1, session_id };
      return {
        set: { deleted_at, deleted_by: user_id },
        events: [newEvent('task.deleted', about, factsOf(task, [], deleted_at))],
      };
    },
  );
  void ctx.taskOutbox.flush(document);
  await cancelLate(ctx, task_id, { by: user_id, reason: 'the task was deleted', at: deleted_at });
  return { message: 'Task deleted successfully', deleted_at: deleted_at.toISOString() };
}

/** An execution that was queued at the same moment is not to run. */
async function cancelLate(ctx: Context, task_id: string, request: CancelRequest): Promise<void> {
  const late = await ctx.executions.findOne({ task_id, active: true }).lean();
  if (!late) return;
  // The task is deleted, whatever becomes of the execution.
  await cancelExecution(ctx, late, request).catch((err) =>
    ctx.log.warn({ err, task_id, execution_id: late._id }, 'an execution of a deleted task was not cancelled'),
  );
}
