import type { AnyEvent } from '@claude-cli/shared/events';
import { inParallel } from '@claude-cli/shared/in-parallel';
import type { Context } from '../context.ts';
import { cancelExecution } from '../executions/cancel-execution.ts';

/** Executions that are stopped at once. */
const width = 20;
const batchSize = 200;

/** The tasks of a deleted project are deleted with it; what runs is stopped. The project's event stands for theirs. */
export async function followProjects(ctx: Context, event: AnyEvent): Promise<void> {
  if (event.type !== 'project.deleted' || !event.project_id) return;
  const { project_id, actor } = event;
  const request = { by: actor, reason: 'the project was deleted', at: new Date() };
  const status = { $in: ['queued', 'running'] as const };
  for (let after = ''; ; ) {
    const batch = await ctx.executions
      .find({ project_id, status, _id: { $gt: after } })
      .sort({ _id: 1 })
      .limit(batchSize)
      .lean();
    await inParallel(batch, width, (execution) =>
      // One that ends otherwise at the same moment has ended, too.
      cancelExecution(ctx, execution, request).catch((err) =>
        ctx.log.warn({ err, execution_id: execution._id }, 'an execution of a deleted project was not cancelled'),
      ),
    );
    const last = batch.at(-1);
    if (!last || batch.length < batchSize) break;
    after = last._id;
  }
  const deleted = { deleted_at: new Date(event.time), deleted_by: actor };
  await ctx.tasks.updateMany({ project_id, deleted_at: null }, { $set: deleted, $inc: { version: 1 } });
  await ctx.usage.deleteOne({ _id: project_id });
}
