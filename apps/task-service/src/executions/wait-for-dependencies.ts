import { PlatformError } from '@claude-cli/shared/errors';
import { inParallel } from '@claude-cli/shared/in-parallel';
import type { Context } from '../context.ts';
import { blockersAmong } from '../dependencies/wanted-dependencies.ts';
import type { Task } from '../tasks/task.ts';
import { endExecution } from './end-execution.ts';
import { driverOf, type Execution } from './execution.ts';
import { makeReady } from './make-ready.ts';

// An execution that waits for tasks is looked at again whenever one of them ends: told by that task's own outbox, hence at
// least once. What is told between the first look and the insertion is seen by a look right after it; what a crash left out,
// by the sweep. Each look reads the tasks as they are, so it does not matter how often, or in which order, it is told.
//
// Most tasks have nobody who waits for them. So what waits marks the tasks that it waits for, and looks at them once more: a task
// either ended after it was marked, and then its end is followed, or before, and then that look sees it.

/** Pause between looks of the sweep at one execution, in milliseconds. */
const lookEveryMs = 30_000;
/** Executions that are read at once, and looked at at once. */
const batch = { size: 200, width: 10 };

/** A task that holds another one up. */
type Blocker = Pick<Task, '_id' | 'title' | 'status' | 'deleted_at' | 'awaited'>;

/** The tasks that hold a task up: those that may still be completed, and those that will not be without somebody's help. */
interface Unmet {
  open: Blocker[];
  broken: Blocker[];
}

/** When the sweep looks again at an execution that waits for tasks. */
export function nextLook(): Date {
  return new Date(Date.now() + lookEveryMs);
}

/**
 * The tasks that a task has to wait for before it can run.
 * @param wait whether it may wait for those that are not completed
 * @throws PlatformError TASK_DEPENDENCY_NOT_MET when it may not, or when one of them has failed or was cancelled
 */
export async function requireDependencies(ctx: Context, task: Task, wait: boolean): Promise<string[]> {
  const { open, broken } = await unmetOf(ctx, blockersAmong(task.dependencies));
  const broke = broken.filter(({ deleted_at }) => deleted_at === null);
  if (open.length + broke.length === 0) return [];
  if (wait && broke.length === 0) return open.map(({ _id }) => _id);
  const unmet = [...open, ...broke].map(({ _id, title, status }) => ({ task_id: _id, title, status }));
  throw new PlatformError('TASK_DEPENDENCY_NOT_MET', 'Tasks that this one depends on are not completed', { unmet });
}

/** Look again at an execution that waits for tasks: it becomes ready, fails, or goes on waiting. */
export async function reconsider(ctx: Context, execution: Execution): Promise<void> {
  const { _id, task_id, generation, waits_on = [] } = execution;
  if (execution.status !== 'queued' || execution.waiting_for !== 'dependency') return;
  const task = await ctx.tasks.findOne({ _id: task_id }, { dependencies: 1 }).lean();
  const { open, broken } = await unmetOf(ctx, blockersAmong(task?.dependencies ?? []));
  // What was deleted before this waited for it holds nothing up.
  const [broke] = broken.filter((blocker) => blocker.deleted_at === null || waits_on.includes(blocker._id));
  if (broke) {
    const how = broke.deleted_at ? 'was deleted' : broke.status === 'failed' ? 'has failed' : 'was cancelled';
    const error = `TASK_DEPENDENCY_NOT_MET: the task "${broke.title}" (${broke._id}) ${how}`;
    const ending = { status: 'failed', exit_code: null, error, result: null } as const;
    await endExecution(ctx, execution, ending, { waiting_for: 'dependency' });
  } else if (open.length === 0) {
    await makeReady(ctx, execution);
  } else {
    const unmarked = open.filter(({ awaited }) => !awaited).map((blocker) => blocker._id);
    if (unmarked.length > 0) {
      // A new version, so that whoever ends one by what is known of it sees that it is awaited.
      await ctx.tasks.updateMany({ _id: { $in: unmarked } }, { $set: { awaited: true }, $inc: { version: 1 } });
      return reconsider(ctx, execution);
    }
    await ctx.executions.updateOne(
      { _id, status: 'queued', generation, waiting_for: 'dependency' },
      { $set: { waits_on: open.map((blocker) => blocker._id), due_at: nextLook() } },
    );
  }
}

/** Look at what waits for any of these tasks, which have all ended. */
export function followTasks(ctx: Context, task_ids: string[]): Promise<void> {
  return reconsiderAll(ctx, waitingFor(task_ids));
}

/** Look at what was queued of a task that depends on others than before. */
export function followDependencies(ctx: Context, task_id: string): Promise<void> {
  return reconsiderAll(ctx, activeOf(task_id));
}

/** Some executions, and their index: it is named, since one in the order of the pages could seem to do and holds all there are. */
interface Concerned {
  filter: { waits_on: { $in: string[] } } | { task_id: string; active: true };
  hint: { waits_on: 1 } | 'one_active_per_task';
}

/** Those that wait for any of these tasks. */
export function waitingFor(task_ids: string[]): Concerned {
  return { filter: { waits_on: { $in: task_ids } }, hint: { waits_on: 1 } };
}

/** The one of a task that has not ended. */
export function activeOf(task_id: string): Concerned {
  return { filter: { task_id, active: true }, hint: 'one_active_per_task' };
}

/** The query for those whose ids come after one. */
export function pageOf({ executions }: Pick<Context, 'executions'>, { filter, hint }: Concerned, after: string) {
  return driverOf(executions).find({ ...filter, _id: { $gt: after } }, { sort: { _id: 1 }, limit: batch.size, hint });
}

async function reconsiderAll(ctx: Context, concerned: Concerned): Promise<void> {
  for (let after = ''; ; ) {
    const waiting = await pageOf(ctx, concerned, after).toArray();
    await inParallel(waiting, batch.width, (execution) => reconsider(ctx, execution));
    const last = waiting.at(-1);
    if (!last || waiting.length < batch.size) return;
    after = last._id;
  }
}

async function unmetOf(ctx: Context, task_ids: string[]): Promise<Unmet> {
  if (task_ids.length === 0) return { open: [], broken: [] };
  const filter = { _id: { $in: task_ids }, status: { $ne: 'completed' as const } };
  const unmet: Blocker[] = await ctx.tasks.find(filter, { title: 1, status: 1, deleted_at: 1, awaited: 1 }).lean();
  const isOver = ({ status, deleted_at }: Blocker) => deleted_at || status === 'failed' || status === 'cancelled';
  const over = unmet.filter(isOver);
  // One that was just queued again is not over: its task has only not heard of it yet.
  const again = over.length === 0 ? [] : await activeAmong(ctx, over);
  const broken = over.filter(({ _id, deleted_at }) => deleted_at || !again.includes(_id));
  return { broken, open: unmet.filter((blocker) => !broken.includes(blocker)) };
}

async function activeAmong({ executions }: Context, tasks: Blocker[]): Promise<string[]> {
  const filter = { task_id: { $in: tasks.map(({ _id }) => _id) }, active: true as const };
  return (await executions.find(filter, { task_id: 1 }).lean()).map(({ task_id }) => task_id);
}
