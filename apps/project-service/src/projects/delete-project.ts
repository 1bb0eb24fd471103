import type { DeleteProjectRequest, DeleteProjectResponse } from '@claude-cli/proto/platform/v1/projects';
import { PlatformError } from '@claude-cli/shared/errors';
import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { aboutChange, changeProject } from './change-project.ts';
import { factsOf, requireRole } from './project.ts';

/** Delete a project softly. task-service deletes its tasks when it hears of it. */
export async function deleteProject(
  ctx: Context,
  { project_id }: DeleteProjectRequest,
  call: Call,
): Promise<DeleteProjectResponse> {
  const { statistics } = await ctx.tasks.getProjectStatistics({ project_ids: [project_id] }, call);
  const running = statistics[project_id]?.running_tasks ?? 0;
  const deleted_at = new Date();
  await changeProject(ctx, project_id, (project) => {
    requireRole(project, call.caller, ['owner']);
    if (running > 0) {
      throw new PlatformError('RESOURCE_IN_USE', 'Tasks of the project are running', { running_tasks: running });
    }
    return {
      set: { deleted_at, deleted_by: call.caller.user_id },
      events: [newEvent('project.deleted', aboutChange(project, call), factsOf(project))],
    };
  });
  return { message: 'Project deleted successfully', deleted_at: deleted_at.toISOString() };
}
