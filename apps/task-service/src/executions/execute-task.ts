import type { ExecuteTaskRequest, QueuedExecution } from '@claude-cli/proto/platform/v1/tasks';
import { idForNew, makeOnce } from '@claude-cli/shared/creation';
import type { Call } from '@claude-cli/shared/grpc/server';
import { newId } from '@claude-cli/shared/ids';
import type { Context } from '../context.ts';
import { requireOutputRoom } from '../limits/stored-output.ts';
import { placeInQueue } from '../queues/place-in-queue.ts';
import { findTaskToChange } from '../tasks/find-task.ts';
import type { Task } from '../tasks/task.ts';
import type { Execution } from './execution.ts';
import { nextRunNumber } from './next-run-number.ts';
import { queueExecution } from './queue-execution.ts';

/** How long a run may take when nobody says it, in milliseconds. */
export const usualTimeoutMs = 3_600_000;

/** Put a task into a queue to be run. */
export async function executeTask(ctx: Context, request: ExecuteTaskRequest, call: Call): Promise<QueuedExecution> {
  const { task, access } = await findTaskToChange(ctx, request.task_id, call);
  const asked = { task_id: task._id, requested_by: call.caller.user_id };
  const find = async (_id: string) => {
    const made = await ctx.executions.findOne({ _id, ...asked }).lean();
    return made ? queued(ctx, made) : undefined;
  };
  return makeOnce(call, find, () => queue(ctx, request, task, access.resource_limits?.storage_limit, call));
}

async function queue(
  ctx: Context,
  request: ExecuteTaskRequest,
  task: Task,
  storageLimit: string | undefined,
  call: Call,
): Promise<QueuedExecution> {
  const [run_number] = await Promise.all([
    nextRunNumber(ctx, task),
    requireOutputRoom(ctx, task.project_id, storageLimit),
  ]);
  const { timeout = usualTimeoutMs / 1000, retry_attempts = 0 } = request.options ?? {};
  const { wait_for_dependencies = false, resume = false } = request.options ?? {};
  const execution = await queueExecution(ctx, task, {
    _id: idAfter(task, call),
    requested_by: call.caller.user_id,
    priority: request.priority ?? 'normal',
    timeout_ms: timeout * 1000,
    max_attempts: retry_attempts + 1,
    wait_for_dependencies,
    resume,
    run_number,
  });
  return queued(ctx, execution);
}

/** A task tells a later execution from an earlier one by the order of ids, and that of a repeated request may be old by now. */
function idAfter({ latest_run }: Task, call: Call): string {
  const id = idForNew(call);
  return latest_run !== null && id <= latest_run.execution_id ? newId() : id;
}

async function queued(ctx: Context, execution: Execution): Promise<QueuedExecution> {
  const { position, estimatedStart } = await placeInQueue(ctx, execution);
  return {
    task_id: execution.task_id,
    execution_id: execution._id,
    status: 'queued',
    queue_position: position,
    estimated_start_time: estimatedStart.toISOString(),
  };
}
