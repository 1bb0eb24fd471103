import type { CreateProjectRequest, Project as ProjectMessage } from '@claude-cli/proto/platform/v1/projects';
import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import { newId } from '@claude-cli/shared/ids';
import { searchTerms } from '@claude-cli/shared/search';
import type { Context } from '../context.ts';
import { factsOf, noTasks, type Project, toProto, withDefaultLimits } from './project.ts';

/** Create a project that the caller owns. */
export async function createProject(ctx: Context, request: CreateProjectRequest, call: Call): Promise<ProjectMessage> {
  const { user_id } = call.caller;
  const now = new Date();
  const project: Project = {
    _id: newId(),
    name: request.name,
    description: request.description ?? '',
    status: 'active',
    created_by: user_id,
    created_at: now,
    updated_at: now,
    settings: request.settings ?? {},
    resource_limits: withDefaultLimits(request.resource_limits),
    members: [{ user_id, role: 'owner' }],
    terms: searchTerms(request.name, request.description),
    version: 1,
    deleted_at: null,
    deleted_by: null,
    outbox: [],
  };
  const about = { actor: user_id, project_id: project._id, version: project.version };
  project.outbox.push(newEvent('project.created', about, factsOf(project)));
  await ctx.projects.create(project);
  void ctx.projectOutbox.flush(project);
  return toProto(project, noTasks);
}
