import type { ProjectAccess } from '@claude-cli/proto/platform/v1/projects';
import { Batches } from '@claude-cli/shared/batches';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { mongo } from 'mongoose';
import type { Context } from '../context.ts';
import { type Task, type TaskModel, taskNotFound } from './task.ts';

/** Reads tasks that were not deleted, those that are asked for at the same time together. */
export type TaskReads = Batches<string, Task | undefined>;

/** The reads of a database. */
export function openTaskReads(tasks: TaskModel): TaskReads {
  const stored = tasks.collection as unknown as mongo.Collection<Task>;
  const read = async (ids: string[]) => {
    const found = await stored.find({ _id: { $in: [...new Set(ids)] }, deleted_at: null }).toArray();
    const byId = new Map(found.map((task) => [task._id, task]));
    return ids.map((id) => byId.get(id));
  };
  return new Batches(read, { most: 100 });
}

/** A task that the caller may see. @throws PlatformError TASK_NOT_FOUND, PROJECT_ACCESS_DENIED */
export async function findTask(ctx: Context, task_id: string, call: Call): Promise<Task> {
  const task = await ctx.taskReads.add(task_id);
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
  const task = await ctx.taskReads.add(task_id);
  if (!task) throw taskNotFound(task_id);
  return { task, access: await ctx.access.checkWrite(task.project_id, call) };
}
