import type { Priority } from '@claude-cli/shared/amqp/topology';
import { PlatformError } from '@claude-cli/shared/errors';
import { newId } from '@claude-cli/shared/ids';
import { isDuplicateKey } from '@claude-cli/shared/mongo';
import type { Context } from '../context.ts';
import { type Task, taskAlreadyRunning, taskNotFound } from '../tasks/task.ts';
import { endExecution } from './end-execution.ts';
import { type Execution, entry, nextAnnouncement, rankOf } from './execution.ts';

/** How a task is to be run. */
export interface RunOptions {
  requested_by: string;
  priority: Priority;
  timeout_ms: number;
  max_attempts: number;
  run_number: number;
}

/** How long the caller waits for the task and the runners to hear of it; afterwards that goes on in the background. */
const tellWithinMs = 1_000;

/**
 * Put a task into a queue.
 * @throws PlatformError TASK_NOT_FOUND, TASK_ALREADY_RUNNING, TASK_DEPENDENCY_NOT_MET, QUEUE_FULL
 */
export async function queueExecution(ctx: Context, task: Task, options: RunOptions): Promise<Execution> {
  if (task.status === 'running') throw taskAlreadyRunning(task._id);
  await Promise.all([requireDependencies(ctx, task), requireRoom(ctx, options.priority)]);
  const execution = newExecution(task, options);
  await ctx.executions.create(execution).catch((error) => {
    // The unique index decides, whoever else asked at the same time.
    throw isDuplicateKey(error) ? taskAlreadyRunning(task._id) : error;
  });
  // A deletion looks for executions once it is stored, as this looks for a deletion: of the two at least one sees the other.
  if (!(await ctx.tasks.exists({ _id: task._id, deleted_at: null }))) {
    await endExecution(ctx, execution, { status: 'cancelled', exit_code: null, error: null, result: null });
    throw taskNotFound(task._id);
  }
  const told = ctx.executionOutbox.flush(execution);
  await Promise.race([told, new Promise((resolve) => setTimeout(resolve, tellWithinMs).unref())]);
  return execution;
}

function newExecution(task: Task, options: RunOptions): Execution {
  const now = new Date();
  return {
    _id: newId(),
    task_id: task._id,
    project_id: task.project_id,
    ...options,
    status: 'queued',
    active: true,
    rank: rankOf(options.priority),
    attempt: 1,
    command: task.command,
    prompt: [task.title, task.description].filter(Boolean).join('\n\n'),
    generation: 0,
    lease: null,
    queued_at: now,
    due_at: nextAnnouncement(0, now.getTime()),
    announcements: 0,
    deferred: false,
    fence: 0,
    started_at: null,
    finished_at: null,
    exit_code: null,
    error: null,
    result: null,
    output_bytes: 0,
    cancel_request: null,
    outbox: [entry('queued', 0)],
  };
}

async function requireDependencies(ctx: Context, task: Task): Promise<void> {
  const blockers = task.dependencies.filter(({ dependency_type }) => dependency_type === 'blocks');
  if (blockers.length === 0) return;
  const ids = blockers.map(({ depends_on_task_id }) => depends_on_task_id);
  const filter = { _id: { $in: ids }, deleted_at: null, status: { $ne: 'completed' as const } };
  const unmet = await ctx.tasks.find(filter, { title: 1, status: 1 }).lean();
  if (unmet.length === 0) return;
  const details = { unmet: unmet.map(({ _id, title, status }) => ({ task_id: _id, title, status })) };
  throw new PlatformError('TASK_DEPENDENCY_NOT_MET', 'Tasks that this one depends on are not completed', details);
}

/** @throws PlatformError QUEUE_FULL when as many as may wait in a queue do */
export async function requireRoom(ctx: Context, priority: Priority): Promise<void> {
  const limit = ctx.config.QUEUE_LIMIT;
  const waiting = await ctx.executions.countDocuments({ status: 'queued', rank: rankOf(priority) }, { limit });
  if (waiting >= limit) throw new PlatformError('QUEUE_FULL', `The ${priority} queue is full`, { limit });
}
