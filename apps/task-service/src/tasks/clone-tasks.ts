import type { CloneTasksRequest, CloneTasksResponse } from '@claude-cli/proto/platform/v1/tasks';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import { derivedId } from '@claude-cli/shared/ids';
import { isDuplicateKey } from '@claude-cli/shared/mongo';
import type { Context } from '../context.ts';
import type { HistoryEntry } from '../history/history.ts';
import { initialDataOf } from './create-task.ts';
import type { StoredDependency, Task } from './task.ts';

/** Tasks that one call copies. */
const maxTasks = 10_000;
/** Tasks that are read and written at once. */
const batchSize = 250;
/** Whole documents: mongoose has nothing to check or to add. */
const asTheyAre = { ordered: false, lean: true } as const;

/**
 * Copy the tasks of a project into one that nobody sees yet. Every id is derived from the original's, so a call that was
 * interrupted can be made again: what is there already is left. Copying tells no events: the project's own event stands for
 * them; the history has an entry for each task.
 * @throws PlatformError PROJECT_LIMIT_EXCEEDED for more tasks than can be copied
 */
export async function cloneTasks(
  ctx: Context,
  { from_project_id, to_project_id }: CloneTasksRequest,
  call: Call,
): Promise<CloneTasksResponse> {
  await ctx.access.check(from_project_id, call);
  const present = { project_id: from_project_id, deleted_at: null };
  const total = await ctx.tasks.countDocuments(present, { limit: maxTasks + 1 });
  if (total > maxTasks) {
    throw new PlatformError('PROJECT_LIMIT_EXCEEDED', 'The project has too many tasks to be copied', {
      max_tasks: maxTasks,
    });
  }
  // A millisecond apart and none ahead of time, the copies are listed in the order of their originals, also where a call goes on.
  const begun = await ctx.tasks
    .findOne({ project_id: to_project_id, deleted_at: null }, { created_at: 1 })
    .sort({ created_at: 1 })
    .lean();
  const copy = new Copy(to_project_id, call.caller.user_id, begun?.created_at.getTime() ?? Date.now() - total);
  let batch: Task[] = [];
  for await (const task of ctx.tasks.find(present).sort({ created_at: 1, _id: 1 }).lean().cursor({ batchSize })) {
    batch.push(task);
    if (batch.length < batchSize) continue;
    await store(ctx, copy, batch, call);
    batch = [];
  }
  await store(ctx, copy, batch, call);
  return { count: copy.count };
}

/** Makes copies, one after the other. */
class Copy {
  count = 0;
  readonly #project_id: string;
  readonly #user_id: string;
  readonly #firstAt: number;

  constructor(project_id: string, user_id: string, firstAt: number) {
    this.#project_id = project_id;
    this.#user_id = user_id;
    this.#firstAt = firstAt;
  }

  /** @param originals ids of the tasks that have copies: dependencies on others are left out */
  taskOf({ awaited: _of_original, ...task }: Task, originals: ReadonlySet<string>): Task {
    const created_at = new Date(this.#firstAt + this.count++);
    return {
      ...task,
      _id: this.#idOf(task._id),
      project_id: this.#project_id,
      status: 'pending',
      progress_percentage: 0,
      actual_duration_ms: null,
      // The copy starts with the caller as its only member.
      assigned_to: task.assigned_to === this.#user_id ? this.#user_id : null,
      created_by: this.#user_id,
      created_at,
      updated_at: created_at,
      started_at: null,
      completed_at: null,
      dependencies: task.dependencies
        .filter(({ depends_on_task_id }) => originals.has(depends_on_task_id))
        .map((dependency) => this.#dependencyOf(dependency)),
      claimed_dependencies: null,
      latest_run: null,
      // Nobody has asked for the copy to run.
      schedule: null,
      version: 1,
      outbox: [],
    };
  }

  /** What the history says of a copy. */
  entryOf(copy: Task, session_id: string | undefined): HistoryEntry {
    return {
      _id: this.#idOf(`created ${copy._id}`),
      task_id: copy._id,
      project_id: copy.project_id,
      timestamp: copy.created_at,
      action: 'created',
      event: 'task.created',
      user_id: copy.created_by,
      session_id: session_id ?? null,
      task_title: copy.title,
      details: { initial_data: initialDataOf(copy) },
    };
  }

  #dependencyOf({ id, depends_on_task_id, dependency_type }: StoredDependency): StoredDependency {
    return { id: this.#idOf(id), depends_on_task_id: this.#idOf(depends_on_task_id), dependency_type };
  }

  #idOf(original: string): string {
    return derivedId(this.#project_id, original);
  }
}

async function store(ctx: Context, copy: Copy, batch: Task[], { caller }: Call): Promise<void> {
  if (batch.length === 0) return;
  const wanted = batch.flatMap((task) => task.dependencies.map(({ depends_on_task_id }) => depends_on_task_id));
  const filter = { _id: { $in: [...new Set(wanted)] }, deleted_at: null };
  const originals = new Set(
    wanted.length === 0 ? [] : (await ctx.tasks.find(filter, { _id: 1 }).lean()).map(({ _id }) => _id),
  );
  const tasks = batch.map((task) => copy.taskOf(task, originals));
  const entries = tasks.map((task) => copy.entryOf(task, caller.session_id));
  // The history comes first, so that no task is ever without it.
  await ctx.history.insertMany(entries, asTheyAre).catch(onlyDuplicates);
  await ctx.tasks.insertMany(tasks, asTheyAre).catch(onlyDuplicates);
}

/** What an earlier call stored is there already; of several failures the driver tells the first as its own. */
function onlyDuplicates(error: unknown): void {
  const { writeErrors } = error as { writeErrors?: unknown };
  const failures = writeErrors === undefined ? [error] : [writeErrors].flat();
  if (failures.length === 0 || !failures.every(isDuplicateKey)) throw error;
}
