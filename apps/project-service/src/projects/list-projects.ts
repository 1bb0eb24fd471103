import type { ListProjectsRequest, ListProjectsResponse } from '@claude-cli/proto/platform/v1/projects';
import { isAdmin } from '@claude-cli/shared/caller';
import { createdBetween, findPage } from '@claude-cli/shared/find-page';
import type { Call } from '@claude-cli/shared/grpc/server';
import { searchTerms } from '@claude-cli/shared/search';
import type { QueryFilter } from 'mongoose';
import type { Context } from '../context.ts';
import { noTasks, type Project, toProto } from './project.ts';

/** A page of the projects that the caller may see, with the counts of their tasks. */
export async function listProjects(
  ctx: Context,
  request: ListProjectsRequest,
  call: Call,
): Promise<ListProjectsResponse> {
  const filter: QueryFilter<Project> = { deleted_at: null, ...createdBetween(request) };
  if (!isAdmin(call.caller)) filter['members.user_id'] = call.caller.user_id;
  if (request.status.length > 0) filter.status = { $in: request.status };
  if (request.created_by !== undefined) filter.created_by = request.created_by;
  if (request.search !== undefined) filter.terms = { $all: searchTerms(request.search) };
  const { documents: projects, total } = await findPage(ctx.projects, filter, request);
  const project_ids = projects.map((project) => project._id);
  const { statistics } =
    project_ids.length > 0 ? await ctx.tasks.getProjectStatistics({ project_ids }, call) : { statistics: {} };
  return { items: projects.map((project) => toProto(project, statistics[project._id] ?? noTasks)), total };
}
