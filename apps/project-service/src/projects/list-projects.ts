import type { ListProjectsRequest, ListProjectsResponse } from '@claude-cli/proto/platform/v1/projects';
import { type Caller, isAdmin } from '@claude-cli/shared/caller';
import { createdBetween, findPage } from '@claude-cli/shared/find-page';
import type { Call } from '@claude-cli/shared/grpc/server';
import { searchFilter } from '@claude-cli/shared/search/search-filter';
import type { QueryFilter } from 'mongoose';
import type { Context } from '../context.ts';
import { noTasks, type Project, shownFields, toProto } from './project.ts';
import { searchFields } from './searchable.ts';

/** A page of the projects that the caller may see, with the counts of their tasks. */
export async function listProjects(
  ctx: Context,
  request: ListProjectsRequest,
  call: Call,
): Promise<ListProjectsResponse> {
  const { page, page_size, order } = request;
  const sort = request.sort === 'name' ? 'name_key' : request.sort;
  const filter = filterOf(request, call.caller);
  const { documents, total } = await findPage(ctx.projects, filter, { page, page_size, sort, order }, shownFields);
  const project_ids = documents.map((project) => project._id);
  const { statistics } =
    project_ids.length > 0 ? await ctx.tasks.getProjectStatistics({ project_ids }, call) : { statistics: {} };
  return { items: documents.map((project) => toProto(project, statistics[project._id] ?? noTasks)), total };
}

/** @throws PlatformError VALIDATION_INVALID_FORMAT for a search that cannot be understood */
function filterOf(request: ListProjectsRequest, caller: Caller): QueryFilter<Project> {
  const { status, created_by, search } = request;
  return {
    deleted_at: null,
    ...(!isAdmin(caller) && { 'members.user_id': caller.user_id }),
    ...(status.length > 0 && { status: { $in: status } }),
    ...(created_by !== undefined && { created_by }),
    ...createdBetween(request),
    ...(search !== undefined && searchFilter(search, searchFields)),
  } as QueryFilter<Project>;
}
