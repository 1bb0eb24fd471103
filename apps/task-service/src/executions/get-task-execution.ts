import type { ExecutionAttempt, GetTaskExecutionRequest, TaskExecution } from '@claude-cli/proto/platform/v1/tasks';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { recentOverview } from '../queues/overview.ts';
import { placeInQueue } from '../queues/place-in-queue.ts';
import { findTask } from '../tasks/find-task.ts';
import type { Attempt, Execution } from './execution.ts';
import { waitingReason } from './waiting-reason.ts';

/**
 * How the latest execution of a task is doing.
 * @throws PlatformError TASK_NOT_FOUND, PROJECT_ACCESS_DENIED, RESOURCE_NOT_FOUND for a task that was never executed, or too long ago
 */
export async function getTaskExecution(
  ctx: Context,
  { task_id }: GetTaskExecutionRequest,
  call: Call,
): Promise<TaskExecution> {
  await findTask(ctx, task_id, call);
  const execution = await ctx.executions.findOne({ task_id }).sort({ queued_at: -1 }).lean();
  if (!execution) throw new PlatformError('RESOURCE_NOT_FOUND', 'The task was never executed', { task_id });
  return { ...toProto(execution), ...(await outlookOf(ctx, execution)) };
}

/** What only one that waits has. */
async function outlookOf(ctx: Context, execution: Execution): Promise<Partial<TaskExecution>> {
  if (execution.status !== 'queued') return {};
  const [queue, { outlook }] = await Promise.all([
    ctx.queues.states.findById(execution.priority, { paused: 1, reason: 1 }).lean(),
    recentOverview(ctx),
  ]);
  const { paused, reason } = queue ?? { paused: false, reason: null };
  const waiting = waitingReason({ execution, queue: { paused, reason }, workers: outlook });
  if (execution.waiting_for !== 'turn') return { waiting };
  const { position, estimatedStart } = await placeInQueue(ctx, execution);
  // While its queue is paused or no runner is there, nobody knows.
  const known = waiting.code !== 'queue_paused' && waiting.code !== 'no_worker';
  return {
    waiting,
    queue_position: position,
    estimated_start_time: known ? estimatedStart.toISOString() : undefined,
  };
}

function toProto(execution: Execution): TaskExecution {
  const { cpu_seconds = null, peak_memory_bytes = null, attempts = [], result, exit_code, error } = execution;
  return {
    execution_id: execution._id,
    task_id: execution.task_id,
    status: execution.status,
    priority: execution.priority,
    attempt: execution.attempt,
    max_attempts: execution.max_attempts,
    queued_at: execution.queued_at.toISOString(),
    started_at: (execution.started_at ?? attempts.at(-1)?.started_at)?.toISOString(),
    finished_at: execution.finished_at?.toISOString(),
    exit_code: exit_code ?? undefined,
    error: error ?? undefined,
    cpu_seconds: cpu_seconds ?? undefined,
    peak_memory_bytes: peak_memory_bytes ?? undefined,
    agent: result ?? undefined,
    attempts: attempts.map(attemptToProto),
  };
}

function attemptToProto({ attempt, status, started_at, finished_at, exit_code, error }: Attempt): ExecutionAttempt {
  return {
    attempt,
    status,
    started_at: started_at?.toISOString(),
    finished_at: finished_at.toISOString(),
    exit_code: exit_code ?? undefined,
    error: error ?? undefined,
  };
}
