import type { ListTasksRequest, ListTasksResponse } from '@claude-cli/proto/platform/v1/tasks';
import { findPage } from '@claude-cli/shared/find-page';
import type { Call } from '@claude-cli/shared/grpc/server';
import { searchTerms } from '@claude-cli/shared/search';
import type { QueryFilter } from 'mongoose';
import type { Context } from '../context.ts';
import { type Task, toSummary } from './task.ts';

/** A page of tasks of one project, or of all projects that the caller may see. */
export async function listTasks(ctx: Context, request: ListTasksRequest, call: Call): Promise<ListTasksResponse> {
  const filter = { ...(await visible(ctx, request.project_id, call)), ...wanted(request) };
  const { documents, total } = await findPage(ctx.tasks, filter, request);
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

function wanted(request: ListTasksRequest): QueryFilter<Task> {
  const filter: QueryFilter<Task> = { deleted_at: null };
  if (request.status.length > 0) filter.status = { $in: request.status };
  if (request.assigned_to !== undefined) filter.assigned_to = request.assigned_to;
  if (request.priority !== undefined) filter.priority = { $gte: request.priority };
  if (request.tags.length > 0) filter.tags = { $all: request.tags };
  if (request.search !== undefined) filter.terms = { $all: searchTerms(request.search) };
  if (request.created_after !== undefined || request.created_before !== undefined) {
    filter.created_at = {
      ...(request.created_after === undefined ? {} : { $gte: new Date(request.created_after) }),
      ...(request.created_before === undefined ? {} : { $lt: new Date(request.created_before) }),
    };
  }
  return filter;
}
