import type { ListMembersRequest, ListMembersResponse } from '@claude-cli/proto/platform/v1/projects';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { findProject } from './find-project.ts';
import { memberMessages } from './member-messages.ts';

/** Members of a project that the caller may see. */
export async function listMembers(
  ctx: Context,
  { project_id }: ListMembersRequest,
  call: Call,
): Promise<ListMembersResponse> {
  const { members } = await findProject(ctx, project_id, call);
  return { members: await memberMessages(ctx, members), total: members.length };
}
