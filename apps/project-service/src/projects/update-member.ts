import type { Member as MemberMessage, UpdateMemberRequest } from '@claude-cli/proto/platform/v1/projects';
import { invalidField } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { changeMembers } from './change-members.ts';
import { toMember } from './member-messages.ts';
import { memberOf, withRole } from './members.ts';
import { requireRole } from './project.ts';

/** Change the role of a member. */
export async function updateMember(
  ctx: Context,
  { project_id, user_id, role }: UpdateMemberRequest,
  call: Call,
): Promise<MemberMessage> {
  if (!role) throw invalidField('role', 'is required', 'VALIDATION_REQUIRED_FIELD');
  const after = { user_id, role };
  await changeMembers(ctx, project_id, call, (project) => {
    requireRole(project, call.caller, ['owner']);
    const before = memberOf(project, user_id);
    return before.role === role ? undefined : { before, after, members: withRole(project, after) };
  });
  const user = await ctx.users.findOne({ _id: user_id }, { username: 1, full_name: 1 }).lean();
  return toMember(after, user ?? undefined);
}
