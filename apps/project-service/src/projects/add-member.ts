import type { AddMemberRequest, Member as MemberMessage } from '@claude-cli/proto/platform/v1/projects';
import { invalidField, PlatformError } from '@claude-cli/shared/errors';
import { foldedKey } from '@claude-cli/shared/folded-key';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import type { User } from '../users/user.ts';
import { changeMembers } from './change-members.ts';
import { toMember } from './member-messages.ts';
import { withMember } from './members.ts';
import { requireRole } from './project.ts';

/** Give a user a role in a project. */
export async function addMember(ctx: Context, request: AddMemberRequest, call: Call): Promise<MemberMessage> {
  const { project_id, role } = request;
  if (!role) throw invalidField('role', 'is required', 'VALIDATION_REQUIRED_FIELD');
  const named = accountNamed(request);
  const user = await ctx.users.findOne(named.filter, { username: 1, full_name: 1, disabled_at: 1 }).lean();
  await changeMembers(ctx, project_id, call, (project) => {
    // Asked before anything is said about the account: only owners learn which accounts exist.
    requireRole(project, call.caller, ['owner']);
    const after = { user_id: requireActive(user, named)._id, role };
    return { before: null, after, members: withMember(project, after) };
  });
  const added = requireActive(user, named);
  return toMember({ user_id: added._id, role }, added);
}

/** What matters here of an account. */
type Account = Pick<User, '_id' | 'username' | 'full_name' | 'disabled_at'>;

/** How a request names the account that is to become a member. */
interface AccountName {
  field: 'user_id' | 'username';
  value: string;
  filter: { _id: string } | { username_key: string };
}

function accountNamed({ user_id, username }: AddMemberRequest): AccountName {
  if (user_id !== undefined && username !== undefined) {
    throw invalidField('username', 'must not be given together with user_id');
  }
  if (user_id !== undefined) return { field: 'user_id', value: user_id, filter: { _id: user_id } };
  if (username === undefined) {
    throw invalidField('user_id', 'this or username is required', 'VALIDATION_REQUIRED_FIELD');
  }
  return { field: 'username', value: username, filter: { username_key: foldedKey(username) } };
}

function requireActive(user: Account | null, { field, value }: AccountName): Account {
  if (!user) throw new PlatformError('RESOURCE_NOT_FOUND', 'The user does not exist', { [field]: value });
  if (user.disabled_at) throw invalidField(field, 'names an account that is disabled');
  return user;
}
