import type { Project as ProjectMessage, UpdateProjectRequest } from '@claude-cli/proto/platform/v1/projects';
import { PlatformError } from '@claude-cli/shared/errors';
import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import { changesOf, guardedUpdate } from '@claude-cli/shared/guarded-update';
import { searchTerms } from '@claude-cli/shared/search';
import type { Context } from '../context.ts';
import { factsOf, noTasks, type Project, projectNotFound, requireRole, toProto } from './project.ts';

/** Change the fields given; settings and limits are merged key by key. */
export async function updateProject(ctx: Context, request: UpdateProjectRequest, call: Call): Promise<ProjectMessage> {
  const { project_id } = request;
  const { document, changed } = await guardedUpdate(
    ctx.projects,
    project_id,
    () => projectNotFound(project_id),
    (project) => {
      requireRole(project, call.caller, ['owner', 'editor']);
      refuseArchived(project, request);
      const set = wanted(project, request);
      const changes = changesOf(project, set);
      if (changes.length === 0) return undefined;
      const about = { actor: call.caller.user_id, project_id, version: project.version + 1 };
      const facts = { ...factsOf({ ...project, ...set }), changes };
      const terms = searchTerms(set.name ?? project.name, set.description ?? project.description);
      return { set: { ...set, terms }, events: [newEvent('project.updated', about, facts)] };
    },
  );
  if (changed) void ctx.projectOutbox.flush(document);
  const { statistics } = await ctx.tasks.getProjectStatistics({ project_ids: [project_id] }, call);
  return toProto(document, statistics[project_id] ?? noTasks);
}

function wanted(project: Project, request: UpdateProjectRequest): Partial<Project> {
  const set: Partial<Project> = {};
  if (request.name !== undefined) set.name = request.name;
  if (request.description !== undefined) set.description = request.description;
  if (request.status !== undefined) set.status = request.status;
  if (request.settings !== undefined) set.settings = { ...project.settings, ...request.settings };
  if (request.resource_limits !== undefined) {
    const given = Object.entries(request.resource_limits).filter(([, value]) => value !== undefined);
    set.resource_limits = { ...project.resource_limits, ...Object.fromEntries(given) };
  }
  return set;
}

/** An archived project accepts a new status, alone or together with what else is to change when it leaves the archive. */
function refuseArchived(project: Project, request: UpdateProjectRequest): void {
  const leaves = request.status !== undefined && request.status !== 'archived';
  if (project.status === 'archived' && !leaves) {
    throw new PlatformError('PROJECT_ARCHIVED', 'The project is archived and read-only', { project_id: project._id });
  }
}
