import type { DeleteTaskRequest, DeleteTaskResponse } from '@claude-cli/proto/platform/v1/tasks';
import { PlatformError } from '@claude-cli/shared/errors';
import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import { guardedUpdate } from '@claude-cli/shared/guarded-update';
import type { Context } from '../context.ts';
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
  return { message: 'Task deleted successfully', deleted_at: deleted_at.toISOString() };
}
