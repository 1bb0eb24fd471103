import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import type { Context } from '../context.ts';
import type { Target } from './subscription.ts';

/**
 * The project that a target belongs to, when the caller may see it; null for a direct command of the caller.
 * @throws PlatformError of the service that refuses
 */
export async function locate(ctx: Context, origin: Origin, { field, id }: Target): Promise<string | null> {
  if (field === 'project_id') {
    await ctx.access.check(id, origin);
    return id;
  }
  if (field === 'task_id') return projectOfTask(ctx, origin, id);
  const { task_id } = await ctx.commands.getCommandStatus({ command_id: id }, origin);
  return task_id === undefined ? null : projectOfTask(ctx, origin, task_id);
}

/** The project of a task that the caller may see. */
export async function projectOfTask(ctx: Context, origin: Origin, taskId: string): Promise<string> {
  const { project_id } = await ctx.tasks.getTask({ task_id: taskId }, origin);
  return project_id;
}
