import type { BulkUpdateTasksRequest, BulkUpdateTasksResponse, ItemError } from '@claude-cli/proto/platform/v1/tasks';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import { inParallel } from '@claude-cli/shared/in-parallel';
import type { Context } from '../context.ts';
import { type BulkChange, bulkChangeOf } from './bulk-operations.ts';
import { changeTask } from './change-task.ts';
import { deleteTask } from './delete-task.ts';

/** Tasks that one call changes at once. */
const width = 8;

/** Do the same to many tasks; each of them succeeds or fails by itself. */
export async function bulkUpdateTasks(
  ctx: Context,
  request: BulkUpdateTasksRequest,
  call: Call,
): Promise<BulkUpdateTasksResponse> {
  const change = bulkChangeOf(request);
  if (request.data?.assigned_to !== undefined) {
    await ctx.knownUsers.require(request.data.assigned_to, 'data.assigned_to', call);
  }
  const task_ids = [...new Set(request.task_ids)];
  const errors = await inParallel(task_ids, width, (task_id) => applied(ctx, task_id, change, call));
  const successful = task_ids.filter((_, place) => errors[place] === undefined);
  return {
    operation: request.operation,
    affected_count: successful.length,
    successful,
    failed: task_ids.filter((_, place) => errors[place] !== undefined),
    errors: errors.filter((error) => error !== undefined),
  };
}

/** Change one of the tasks. @returns why that failed, if it did */
async function applied(ctx: Context, task_id: string, change: BulkChange, call: Call): Promise<ItemError | undefined> {
  try {
    if (change === 'delete') await deleteTask(ctx, { task_id }, call);
    else await changeTask(ctx, task_id, call, change);
    return undefined;
  } catch (thrown) {
    const error = PlatformError.from(thrown);
    if (error.isFault) call.log.error({ err: error.cause ?? error, task_id }, 'a task of a bulk operation failed');
    const { issue } = error.details;
    const message = typeof issue === 'string' ? `${error.message}: ${issue}` : error.message;
    return { task_id, code: error.code, message };
  }
}
