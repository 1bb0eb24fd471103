import type { AnyEvent } from '@claude-cli/shared/events';
import type { Context } from '../context.ts';
import { cancelExecution } from '../executions/cancel-execution.ts';

/** The tasks of a deleted project are deleted with it; what runs is stopped. The project's event stands for theirs. */
export async function followProjects(ctx: Context, event: AnyEvent): Promise<void> {
  if (event.type !== 'project.deleted' || !event.project_id) return;
  const { project_id, actor } = event;
  const active = await ctx.executions.find({ project_id, active: true }).lean();
  const request = { by: actor, reason: 'the project was deleted', at: new Date() };
  await Promise.allSettled(active.map((execution) => cancelExecution(ctx, execution, request)));
  const deleted = { deleted_at: new Date(event.time), deleted_by: actor };
  await ctx.tasks.updateMany({ project_id, deleted_at: null }, { $set: deleted, $inc: { version: 1 } });
}
