import type {
  ListAccessibleProjectsRequest,
  ListAccessibleProjectsResponse,
} from '@claude-cli/proto/platform/v1/projects';
import { isAdmin } from '@claude-cli/shared/caller';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';

/** A user is a member of fewer projects than this, or sees the newest so many in lists across projects. */
const maxProjects = 5_000;

/** Ids of the projects that the caller may see; an admin sees all. */
export async function listAccessibleProjects(
  ctx: Context,
  _: ListAccessibleProjectsRequest,
  call: Call,
): Promise<ListAccessibleProjectsResponse> {
  if (isAdmin(call.caller)) return { all: true, project_ids: [] };
  const filter = { 'members.user_id': call.caller.user_id, deleted_at: null };
  const projects = await ctx.projects
    .find(filter, { _id: 1 })
    .sort({ created_at: -1, _id: -1 })
    .limit(maxProjects)
    .lean();
  return { all: false, project_ids: projects.map(({ _id }) => _id) };
}
