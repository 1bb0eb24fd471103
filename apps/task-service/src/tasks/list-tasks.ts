import { type ListTasksRequest, type ListTasksResponse, Task_Status } from '@claude-cli/proto/platform/v1/tasks';
import { createdBetween, findPage } from '@claude-cli/shared/find-page';
import type { Call } from '@claude-cli/shared/grpc/server';
import { searchFilter } from '@claude-cli/shared/search/search-filter';
import type { QueryFilter } from 'mongoose';
import type { Context } from '../context.ts';
import { searchFields } from './searchable.ts';
import { summaryFields, type Task, toSummary } from './task.ts';

/** A page of tasks of one project, or of all projects that the caller may see. */
export async function listTasks(ctx: Context, request: ListTasksRequest, call: Call): Promise<ListTasksResponse> {
  const wanted = filterOf(request);
  const filter = { ...(await visible(ctx, request.project_id, call)), ...wanted };
  const { documents, total } = await findPage(ctx.tasks, filter, pageOf(request), summaryFields);
  return { items: documents.map(toSummary), total };
}

async function visible(ctx: Context, project_id: string | undefined, call: Call): Promise<QueryFilter<Task>> {
  if (project_id !== undefined) {
    await ctx.access.check(project_id, call);
    return { project_id };
  }
  const project_ids = await ctx.access.visibleProjects(call);
  return project_ids ? { project_id: { $in: project_ids } } : {};
}

/**
 * The filter that finds the tasks asked for.
 * @throws PlatformError VALIDATION_INVALID_FORMAT for a search that cannot be understood
 */
export function filterOf(request: Partial<ListTasksRequest>): QueryFilter<Task> {
  const { status = [], assigned_to, priority, tags = [], search } = request;
  return {
    deleted_at: null,
    // Naming every status lets the indexes that begin with it give the order of a list of any.
    status: status.length === 1 ? status[0] : { $in: status.length > 0 ? status : Object.values(Task_Status) },
    ...(assigned_to !== undefined && { assigned_to }),
    ...(priority !== undefined && { priority: { $gte: priority } }),
    ...(tags.length > 0 && { tags: { $all: tags } }),
    ...createdBetween(request),
    ...(search !== undefined && searchFilter(search, searchFields)),
  } as QueryFilter<Task>;
}

/** Titles have the order of their keys, in which case and accents do not count. */
export function pageOf({ page, page_size, sort, order }: Partial<ListTasksRequest>) {
  return { page, page_size, sort: sort === 'title' ? 'title_key' : sort, order };
}
