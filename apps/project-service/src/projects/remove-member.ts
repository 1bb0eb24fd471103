import type { RemoveMemberRequest, RemoveMemberResponse } from '@claude-cli/proto/platform/v1/projects';
import { requirePermission } from '@claude-cli/shared/caller';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { changeMembers } from './change-members.ts';
import { memberOf, withoutMember } from './members.ts';
import { requireRole } from './project.ts';

/** Take a member out of a project: owners take out anybody, everybody may leave. */
export async function removeMember(
  ctx: Context,
  { project_id, user_id }: RemoveMemberRequest,
  call: Call,
): Promise<RemoveMemberResponse> {
  const leaves = user_id === call.caller.user_id;
  // The endpoint is open to all who may read, so that viewers can leave; for more, or by a key made for reading, it is not.
  if (!leaves || call.caller.credential?.kind === 'api_key') requirePermission(call.caller, 'write');
  const removed_at = new Date();
  await changeMembers(ctx, project_id, call, (project) => {
    if (!leaves) requireRole(project, call.caller, ['owner']);
    const before = memberOf(project, user_id);
    return { before, after: null, members: withoutMember(project, user_id) };
  });
  return { message: 'Member removed successfully', removed_at: removed_at.toISOString() };
}
