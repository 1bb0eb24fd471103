import type { RetriedExecution, RetryTaskRequest } from '@claude-cli/proto/platform/v1/tasks';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { requireOutputRoom } from '../limits/stored-output.ts';
import { findTaskToChange } from '../tasks/find-task.ts';
import { taskAlreadyRunning } from '../tasks/task.ts';
import { queueExecution } from './queue-execution.ts';

/** Run a failed or cancelled task again as it was run last. */
export async function retryTask(ctx: Context, { task_id }: RetryTaskRequest, call: Call): Promise<RetriedExecution> {
  const { task, access } = await findTaskToChange(ctx, task_id, call);
  await requireOutputRoom(ctx, task.project_id, access.resource_limits?.storage_limit);
  const last = await ctx.executions.findOne({ task_id }).sort({ queued_at: -1 }).lean();
  if (last?.active) throw taskAlreadyRunning(task_id);
  if (!last || (task.status !== 'failed' && task.status !== 'cancelled')) {
    throw new PlatformError('RESOURCE_CONFLICT', 'Only a failed or cancelled run can be retried', {
      task_id,
      status: task.status,
    });
  }
  const { priority, timeout_ms, max_attempts, run_number, wait_for_dependencies = false, resume = false } = last;
  const execution = await queueExecution(ctx, task, {
    requested_by: call.caller.user_id,
    priority,
    timeout_ms,
    max_attempts,
    wait_for_dependencies,
    resume,
    run_number: run_number + 1,
  });
  return { task_id, execution_id: execution._id, status: 'queued', retry_attempt: execution.run_number };
}
