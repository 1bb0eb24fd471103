import type { NewDependency } from '@claude-cli/proto/platform/v1/tasks';
import { invalidField } from '@claude-cli/shared/errors';
import { newId } from '@claude-cli/shared/ids';
import type { Context } from '../context.ts';
import type { StoredDependency, Task } from '../tasks/task.ts';

/** The dependencies that a caller wants. Those on tasks that there are dependencies on already keep their ids. */
export function wantedDependencies(wanted: NewDependency[], present: StoredDependency[] = []): StoredDependency[] {
  const ids = new Map(present.map(({ id, depends_on_task_id }) => [depends_on_task_id, id]));
  const byTask = new Map(wanted.map((dependency) => [dependency.depends_on_task_id, dependency]));
  return [...byTask.values()].map(({ depends_on_task_id, dependency_type = 'blocks' }) => ({
    id: ids.get(depends_on_task_id) ?? newId(),
    depends_on_task_id,
    dependency_type,
  }));
}

/** The tasks that hold up whoever has these dependencies. */
export function blockersAmong(dependencies: StoredDependency[]): string[] {
  return dependencies
    .filter(({ dependency_type }) => dependency_type === 'blocks')
    .map(({ depends_on_task_id }) => depends_on_task_id);
}

/**
 * Refuse dependencies on tasks that are not there. Those that the task has already may stay when the other task is deleted.
 * @throws PlatformError VALIDATION_ERROR
 */
export async function requireDependedTasks(
  ctx: Context,
  { _id, project_id, dependencies: present }: Pick<Task, '_id' | 'project_id' | 'dependencies'>,
  wanted: StoredDependency[],
): Promise<void> {
  const ids = wanted.map(({ depends_on_task_id }) => depends_on_task_id);
  if (ids.includes(_id)) throw invalidField('dependencies', 'a task cannot depend on itself');
  const known = new Set(present.map(({ depends_on_task_id }) => depends_on_task_id));
  const added = ids.filter((id) => !known.has(id));
  if (added.length === 0) return;
  const filter = { _id: { $in: added }, project_id, deleted_at: null };
  const found = new Set((await ctx.tasks.find(filter, { _id: 1 }).lean()).map((task) => task._id));
  const missing = added.find((id) => !found.has(id));
  if (missing) throw invalidField('dependencies', `there is no task ${missing} in this project`);
}
