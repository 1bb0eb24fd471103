import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { type Project, projectNotFound, roleIn } from './project.ts';

/** A project that the caller may see. @throws PlatformError PROJECT_NOT_FOUND, PROJECT_ACCESS_DENIED */
export async function findProject(ctx: Context, project_id: string, call: Call): Promise<Project> {
  const project = await ctx.projects.findOne({ _id: project_id, deleted_at: null }).lean();
  if (!project) throw projectNotFound(project_id);
  roleIn(project, call.caller);
  return project;
}
