import type { Project as ProjectMessage, UpdateProjectRequest } from '@claude-cli/proto/platform/v1/projects';
import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import { changesOf } from '@claude-cli/shared/guarded-update';
import type { Context } from '../context.ts';
import { mergedSettings } from '../merged-settings.ts';
import { aboutChange, changeProject } from './change-project.ts';
import { factsOf, noTasks, type Project, refuseArchived, requireRole, toProto } from './project.ts';
import { searchableOf } from './searchable.ts';

/** Change the fields given; settings and limits are merged key by key. */
export async function updateProject(ctx: Context, request: UpdateProjectRequest, call: Call): Promise<ProjectMessage> {
  const { project_id } = request;
  const document = await changeProject(ctx, project_id, (project) => {
    requireRole(project, call.caller, ['owner', 'editor']);
    // What leaves the archive may change in the same breath.
    if (request.status === undefined || request.status === 'archived') refuseArchived(project);
    const set = wanted(project, request);
    const changes = changesOf(project, set);
    if (changes.length === 0) return undefined;
    const updated = { ...project, ...set };
    const events = [newEvent('project.updated', aboutChange(project, call), { ...factsOf(updated), changes })];
    return { set: { ...set, ...searchableOf(updated) }, events };
  });
  const { statistics } = await ctx.tasks.getProjectStatistics({ project_ids: [project_id] }, call);
  return toProto(document, statistics[project_id] ?? noTasks);
}

function wanted(project: Project, request: UpdateProjectRequest): Partial<Project> {
  const set: Partial<Project> = {};
  if (request.name !== undefined) set.name = request.name;
  if (request.description !== undefined) set.description = request.description;
  if (request.status !== undefined) set.status = request.status;
  if (request.settings !== undefined) set.settings = mergedSettings(project.settings, request.settings);
  if (request.resource_limits !== undefined) {
    const given = Object.entries(request.resource_limits).filter(([, value]) => value !== undefined);
    set.resource_limits = { ...project.resource_limits, ...Object.fromEntries(given) };
  }
  return set;
}
