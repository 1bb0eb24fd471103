import type { Task_Status } from '@claude-cli/proto/platform/v1/tasks';
import { PlatformError } from '@claude-cli/shared/errors';
import type { AnyEvent } from '@claude-cli/shared/events';
import { type Decision, guardedUpdate } from '@claude-cli/shared/guarded-update';
import type { Context } from '../context.ts';
import { eventOfStatus } from '../tasks/status-event.ts';
import { type BriefTask, brief, longFields, type Task, taskNotFound, withStatus } from '../tasks/task.ts';
import { cancelWaiting } from './cancel-execution.ts';
import { type Execution, type ExecutionEntry, entry } from './execution.ts';
import { needsToken } from './tokens.ts';

/** Executions that were told, as they were written, of which the tasks were found deleted. */
const withoutTask = new WeakSet<Execution>();

/** Whether an execution that was told had no task any more. @param execution the very one that was flushed */
export function hadNoTask(execution: Execution): boolean {
  return withoutTask.has(execution);
}

/**
 * Make known what a transition of an execution caused: to its task, to the queue, to its runner.
 * @param execution as it was written with the news, or later
 */
export async function tell(ctx: Context, news: ExecutionEntry, execution: Execution): Promise<void> {
  if (news.kind === 'stop') return ctx.bus.publishControl({ order: 'cancel', command_id: execution._id });
  // Its end comes next, and tells both by one update.
  if (news.kind === 'started' && isOver(execution)) return;
  const isReady = execution.status === 'queued' && execution.waiting_for === 'turn';
  // Runners need not wait until the task knows, and where a slot waits, nothing shall take the database from it.
  const { isAwaited } = ctx.vacancies;
  const announced = news.kind === 'queued' && isReady ? offer(ctx, execution) : undefined;
  if (isAwaited) await announced?.catch(() => {});
  const [told, sent] = await Promise.allSettled([tellTask(ctx, execution, news), announced]);
  for (const each of [told, sent]) if (each.status === 'rejected') throw each.reason;
}

async function offer(ctx: Context, { priority, command }: Execution): Promise<void> {
  const isGiven = command !== null && (await ctx.vacancies.handOver(ctx, priority));
  if (!isGiven && (await needsToken(ctx, priority))) await ctx.bus.publishJob(priority);
}

async function tellTask(ctx: Context, execution: Execution, news: ExecutionEntry): Promise<void> {
  try {
    await updateTask(ctx, execution, news);
  } catch (error) {
    if (PlatformError.from(error).code !== 'TASK_NOT_FOUND') throw error;
    // The task was deleted meanwhile: there is nobody left to tell, and nothing left to run.
    withoutTask.add(execution);
    if (execution.active) await stopDeleted(ctx, execution);
  }
}

/** Whoever deleted the task may have died before its execution was cancelled. */
async function stopDeleted(ctx: Context, execution: Execution): Promise<void> {
  const cancel_request = { by: execution.requested_by, reason: 'the task was deleted', at: new Date() };
  if (await cancelWaiting(ctx, execution, cancel_request)) return;
  const asked = await ctx.executions.updateOne(
    { _id: execution._id, active: true, cancel_request: null },
    { $set: { cancel_request }, $push: { outbox: entry('stop', execution.generation) } },
  );
  if (asked.modifiedCount > 0) await ctx.bus.publishControl({ order: 'cancel', command_id: execution._id });
}

async function updateTask(ctx: Context, execution: Execution, news: ExecutionEntry): Promise<void> {
  const { document } = await guardedUpdate(
    ctx.tasks,
    execution.task_id,
    () => taskNotFound(execution.task_id),
    (task) => decisionOn(task, execution, news),
    { known: ctx.knownTasks.get(execution._id), without: longFields, writes: ctx.taskWrites },
  );
  // Also when it is not known that this has changed it: what is told twice does no harm.
  void ctx.taskOutbox.flush(document);
  if (news.kind === 'ended') ctx.knownTasks.delete(execution._id);
  else ctx.knownTasks.set(execution._id, brief(document));
}

/** What news of an execution changes in its task; undefined when that is not news to it. */
export function decisionOn(
  task: BriefTask,
  execution: Execution,
  news: ExecutionEntry,
): Decision<Task, AnyEvent> | undefined {
  if (!isNews(task, execution, news)) return undefined;
  const start = { ...news, kind: 'started' } as const;
  if (news.kind !== 'ended' || execution.started_at === null || !isNews(task, execution, start))
    return applied(task, execution, news);
  const begun = applied(task, execution, start);
  const running = { ...task, ...begun.set, version: task.version + 1 };
  const over = applied(running, execution, news);
  return { set: { ...begun.set, ...over.set }, events: [...begun.events, ...over.events], versions: 2 };
}

/** Whether nothing more happens to it. */
function isOver({ status }: Execution): boolean {
  return status !== 'queued' && status !== 'running';
}

/** News may come twice, and late: a task takes only what is newer than what it took last. */
function isNews({ latest_run }: BriefTask, execution: Execution, { kind, generation }: ExecutionEntry): boolean {
  if (latest_run?.execution_id !== execution._id) {
    // Another execution of the task: ids are in the order of time.
    return latest_run === null || latest_run.execution_id < execution._id;
  }
  if (latest_run.ended) return false;
  if (kind === 'started') return latest_run.generation < generation;
  if (kind === 'retrying') return latest_run.generation <= generation;
  return kind === 'ended';
}

function applied(
  task: BriefTask,
  execution: Execution,
  { kind, generation }: ExecutionEntry,
): Decision<Task, AnyEvent> & { set: Partial<Task> } {
  const status = statusAfter(kind, execution);
  const now = new Date();
  const set: Partial<Task> = {
    ...withStatus(task, status, now),
    ...timesOf(kind, execution),
    latest_run: {
      execution_id: execution._id,
      run_number: execution.run_number,
      generation,
      ended: kind === 'ended',
    },
    updated_at: now,
  };
  if (status === task.status) return { set, events: [] };
  const after = { ...task, ...set, version: task.version + 1 };
  const changes = [{ field: 'status', old_value: task.status, new_value: status }];
  const run = {
    execution_id: execution._id,
    requested_by: execution.requested_by,
    exit_code: execution.exit_code,
    error: execution.error,
    reason: execution.cancel_request?.reason ?? null,
    timed_out: execution.status === 'timed_out',
  };
  const actor = kind === 'ended' && execution.cancel_request ? execution.cancel_request.by : execution.requested_by;
  return { set, events: [eventOfStatus(after, changes, actor, run)] };
}

function statusAfter(kind: ExecutionEntry['kind'], execution: Execution): Task_Status {
  if (kind === 'started') return 'running';
  if (kind !== 'ended') return 'pending';
  if (execution.status === 'completed' || execution.status === 'cancelled') return execution.status;
  return 'failed';
}

/** The execution knows better than the moment at which its news arrives. */
function timesOf(kind: ExecutionEntry['kind'], { started_at, finished_at }: Execution): Partial<Task> {
  // Told late, it may wait for another attempt already.
  if (kind === 'started') return started_at ? { started_at } : {};
  if (kind !== 'ended' || !finished_at) return {};
  const actual_duration_ms = started_at ? finished_at.getTime() - started_at.getTime() : null;
  return { completed_at: finished_at, actual_duration_ms };
}
