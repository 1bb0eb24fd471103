import type { Priority } from '@claude-cli/shared/amqp/topology';
import { PlatformError } from '@claude-cli/shared/errors';
import { newId } from '@claude-cli/shared/ids';
import { isDuplicateKey } from '@claude-cli/shared/mongo';
import { traced } from '@claude-cli/shared/telemetry/tracing';
import type { Context } from '../context.ts';
import { brief, type Task, taskAlreadyRunning, taskNotFound } from '../tasks/task.ts';
import { conversationsOf } from './agent-options.ts';
import { type Execution, entry, rankOf } from './execution.ts';
import { nextPlace } from './fair-order.ts';
import { hadNoTask } from './tell.ts';
import { nextLook, reconsider, requireDependencies } from './wait-for-dependencies.ts';

/** How a task is to be run. */
export interface RunOptions {
  /** Id of the execution, when it was chosen before, so that queueing it twice makes one; a new one when absent. */
  _id?: string;
  requested_by: string;
  priority: Priority;
  timeout_ms: number;
  max_attempts: number;
  run_number: number;
  /** Wait for the tasks that it depends on, instead of being refused; false when absent. */
  wait_for_dependencies?: boolean;
  /** Have the agent go on with the latest conversation of the task, if there is one; false when absent. */
  resume?: boolean;
}

/** How long the caller waits for the task and the runners to hear of it; afterwards that goes on in the background. */
const tellWithinMs = 1_000;

/**
 * Put a task into a queue.
 * @throws PlatformError TASK_NOT_FOUND, TASK_ALREADY_RUNNING, TASK_DEPENDENCY_NOT_MET, QUEUE_FULL
 */
export async function queueExecution(ctx: Context, task: Task, options: RunOptions): Promise<Execution> {
  if (task.status === 'running') throw taskAlreadyRunning(task._id);
  const [waits_on, conversations] = await Promise.all([
    requireDependencies(ctx, task, options.wait_for_dependencies ?? false),
    options.resume && task.command === null ? conversationsOf(ctx, task._id) : undefined,
    requireRoom(ctx, options.priority),
  ]);
  const waiting = waits_on.length > 0;
  const execution: Execution = {
    ...newExecution(task, options),
    ...(conversations ? { conversations } : {}),
    ...(waiting
      ? { waiting_for: 'dependency', waits_on, due_at: nextLook() }
      : { fair_at: await nextPlace(ctx, task.project_id, options.priority) }),
  };
  await ctx.queues.sizes.adding(options.priority, !waiting, () => insert(ctx, execution));
  ctx.knownTasks.set(execution._id, brief(task));
  if (!waiting) ctx.queues.newlyReady.add(execution);
  const told = ctx.executionOutbox.flush(execution);
  // What it waits for may have ended while it was stored.
  if (waiting) await reconsider(ctx, execution);
  await Promise.race([told, new Promise((resolve) => setTimeout(resolve, tellWithinMs).unref())]);
  // A deletion looks for executions once it is stored, as the telling looks for a deletion: of the two at least one sees the
  // other. What the telling sees late, it ends as well.
  if (hadNoTask(execution)) throw taskNotFound(task._id);
  return execution;
}

async function insert({ executionInserts }: Context, execution: Execution): Promise<void> {
  try {
    await executionInserts.add(execution);
  } catch (error) {
    // The unique index decides, whoever else asked at the same time.
    throw isDuplicateKey(error) ? taskAlreadyRunning(execution.task_id) : error;
  }
}

function newExecution(task: Task, options: RunOptions): Execution {
  return {
    _id: newId(),
    task_id: task._id,
    project_id: task.project_id,
    wait_for_dependencies: false,
    ...options,
    status: 'queued',
    active: true,
    rank: rankOf(options.priority),
    attempt: 1,
    command: task.command,
    prompt: [task.title, task.description].filter(Boolean).join('\n\n'),
    generation: 0,
    lease: null,
    queued_at: new Date(),
    waiting_for: 'turn',
    fair_at: null,
    due_at: null,
    fence: 0,
    started_at: null,
    finished_at: null,
    exit_code: null,
    error: null,
    result: null,
    output_bytes: 0,
    cpu_seconds: null,
    peak_memory_bytes: null,
    attempts: [],
    cancel_request: null,
    ...traced(),
    outbox: [entry('queued', 0)],
  };
}

/** @throws PlatformError QUEUE_FULL when as many as may wait in a queue do */
export async function requireRoom(ctx: Context, priority: Priority): Promise<void> {
  const limit = ctx.config.QUEUE_LIMIT;
  if ((await ctx.queues.sizes.queued(priority)) >= limit)
    throw new PlatformError('QUEUE_FULL', `The ${priority} queue is full`, { limit });
}
