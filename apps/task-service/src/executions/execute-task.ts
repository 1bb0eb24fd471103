import type { ExecuteTaskRequest, QueuedExecution } from '@claude-cli/proto/platform/v1/tasks';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { requireOutputRoom } from '../limits/stored-output.ts';
import { placeInQueue } from '../queues/place-in-queue.ts';
import { findTaskToChange } from '../tasks/find-task.ts';
import { queueExecution } from './queue-execution.ts';

/** How long a run may take when nobody says it, in milliseconds. */
export const usualTimeoutMs = 3_600_000;

/** Put a task into a queue to be run. */
export async function executeTask(ctx: Context, request: ExecuteTaskRequest, call: Call): Promise<QueuedExecution> {
  const { task, access } = await findTaskToChange(ctx, request.task_id, call);
  await requireOutputRoom(ctx, task.project_id, access.resource_limits?.storage_limit);
  const { timeout = usualTimeoutMs / 1000, retry_attempts = 0 } = request.options ?? {};
  const { wait_for_dependencies = false, resume = false } = request.options ?? {};
  const execution = await queueExecution(ctx, task, {
    requested_by: call.caller.user_id,
    priority: request.priority ?? 'normal',
    timeout_ms: timeout * 1000,
    max_attempts: retry_attempts + 1,
    wait_for_dependencies,
    resume,
    run_number: 1 + (await ctx.executions.countDocuments({ task_id: task._id })),
  });
  const { position, estimatedStart } = await placeInQueue(ctx, execution);
  return {
    task_id: task._id,
    execution_id: execution._id,
    status: 'queued',
    queue_position: position,
    estimated_start_time: estimatedStart.toISOString(),
  };
}
