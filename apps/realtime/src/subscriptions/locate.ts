import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import type { Context } from '../context.ts';
import type { Target } from './subscription.ts';

/**
 * The project that a target belongs to, when the caller may see it; null for what belongs to none: a direct command of the
 * caller, and what concerns the caller alone.
 * @throws PlatformError of the service that refuses
 */
export async function locate(ctx: Context, origin: Origin, { field, id }: Target): Promise<string | null> {
  if (field === 'user_id' || field === 'queue_name' || field === 'interval') return null;
  if (field === 'project_id') {
    await ctx.access.check(id, origin);
    return id;
  }
  if (field === 'task_id') return projectOfTask(ctx, origin, id);
  const { project_id } = await ctx.commands.readCommandOutput({ command_id: id, after: 0, limit: 0 }, origin);
  return project_id ?? null;
}

/** The project of a task that the caller may see. */
export async function projectOfTask(ctx: Context, origin: Origin, taskId: string): Promise<string> {
  const { project_id } = await ctx.tasks.getTask({ task_id: taskId }, origin);
  return project_id;
}
