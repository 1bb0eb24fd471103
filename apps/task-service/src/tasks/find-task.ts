import type { ProjectAccess } from '@claude-cli/proto/platform/v1/projects';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { type Task, taskNotFound } from './task.ts';

/** A task that the caller may see. @throws PlatformError TASK_NOT_FOUND, PROJECT_ACCESS_DENIED */
export async function findTask(ctx: Context, task_id: string, call: Call): Promise<Task> {
  const task = await ctx.tasks.findOne({ _id: task_id, deleted_at: null }).lean();
  if (!task) throw taskNotFound(task_id);
  await ctx.access.check(task.project_id, call);
  return task;
}

/** A task that the caller may change. @throws PlatformError as findTask, and PROJECT_ARCHIVED */
export async function findTaskToChange(
  ctx: Context,
  task_id: string,
  call: Call,
): Promise<{ task: Task; access: ProjectAccess }> {
  const task = await ctx.tasks.findOne({ _id: task_id, deleted_at: null }).lean();
  if (!task) throw taskNotFound(task_id);
  return { task, access: await ctx.access.checkWrite(task.project_id, call) };
}
