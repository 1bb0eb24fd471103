import type { CheckAccessRequest, ProjectAccess } from '@claude-cli/proto/platform/v1/projects';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { agentSettings } from './agent-settings.ts';
import { type Project, projectNotFound, roleIn } from './project.ts';

/** What the caller may do in a project. */
export async function checkAccess(
  ctx: Context,
  { project_id }: CheckAccessRequest,
  call: Call,
): Promise<ProjectAccess> {
  const fields = { members: 1, status: 1, resource_limits: 1, 'settings.agent': 1 };
  const project = await ctx.projects.findOne({ _id: project_id, deleted_at: null }, fields).lean<Project>();
  if (!project) throw projectNotFound(project_id);
  const role = roleIn(project, call.caller);
  const { status, resource_limits, settings } = project;
  return { role, status, resource_limits, agent: agentSettings(settings) };
}
