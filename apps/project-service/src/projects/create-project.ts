import type { CreateProjectRequest, Project as ProjectMessage } from '@claude-cli/proto/platform/v1/projects';
import { idForNew, makeOnce } from '@claude-cli/shared/creation';
import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { newProject } from './new-project.ts';
import { factsOf, noTasks, toProto, withDefaultLimits } from './project.ts';

/** Create a project that the caller owns. */
export function createProject(ctx: Context, request: CreateProjectRequest, call: Call): Promise<ProjectMessage> {
  const find = async (_id: string) => {
    const made = await ctx.projects.findOne({ _id, created_by: call.caller.user_id }).lean();
    return made ? toProto(made, noTasks) : undefined;
  };
  return makeOnce(call, find, () => insertProject(ctx, request, call));
}

async function insertProject(ctx: Context, request: CreateProjectRequest, call: Call): Promise<ProjectMessage> {
  const { user_id, session_id } = call.caller;
  const project = newProject({
    _id: idForNew(call),
    name: request.name,
    description: request.description ?? '',
    settings: request.settings ?? {},
    resource_limits: withDefaultLimits(request.resource_limits),
    created_by: user_id,
  });
  const about = { actor: user_id, project_id: project._id, version: project.version, session_id };
  project.outbox.push(newEvent('project.created', about, factsOf(project)));
  await ctx.projects.create(project);
  void ctx.projectOutbox.flush(project);
  return toProto(project, noTasks);
}
