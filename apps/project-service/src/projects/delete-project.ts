import type { DeleteProjectRequest, DeleteProjectResponse } from '@claude-cli/proto/platform/v1/projects';
import { PlatformError } from '@claude-cli/shared/errors';
import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import { guardedUpdate } from '@claude-cli/shared/guarded-update';
import type { Context } from '../context.ts';
import { factsOf, projectNotFound, requireRole } from './project.ts';

/** Delete a project softly. task-service deletes its tasks when it hears of it. */
export async function deleteProject(
  ctx: Context,
  { project_id }: DeleteProjectRequest,
  call: Call,
): Promise<DeleteProjectResponse> {
  const { statistics } = await ctx.tasks.getProjectStatistics({ project_ids: [project_id] }, call);
  const running = statistics[project_id]?.running_tasks ?? 0;
  const deleted_at = new Date();
  const { document } = await guardedUpdate(
    ctx.projects,
    project_id,
    () => projectNotFound(project_id),
    (project) => {
      requireRole(project, call.caller, ['owner']);
      if (running > 0) {
        throw new PlatformError('RESOURCE_IN_USE', 'Tasks of the project are running', { running_tasks: running });
      }
      const about = { actor: call.caller.user_id, project_id, version: project.version + 1 };
      return {
        set: { deleted_at, deleted_by: call.caller.user_id },
        events: [newEvent('project.deleted', about, factsOf(project))],
      };
    },
  );
  void ctx.projectOutbox.flush(document);
  return { message: 'Project deleted successfully', deleted_at: deleted_at.toISOString() };
}
