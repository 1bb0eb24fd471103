import type { Member as MemberMessage } from '@claude-cli/proto/platform/v1/projects';
import type { Context } from '../context.ts';
import type { User } from '../users/user.ts';
import type { Member } from './project.ts';

/** What an answer shows of a member's account. */
type Named = Pick<User, '_id' | 'username' | 'full_name'>;

/** A member as the contract shows it. A member without an account, such as a service, is named by the id. */
export function toMember({ user_id, role }: Member, user: Named | undefined): MemberMessage {
  return { user_id, username: user?.username ?? user_id, full_name: user?.full_name ?? user_id, role };
}

/** Members with their names, in the order of these. */
export async function memberMessages(ctx: Context, members: Member[]): Promise<MemberMessage[]> {
  const ids = members.map(({ user_id }) => user_id);
  const users = await ctx.users.find({ _id: { $in: ids } }, { username: 1, full_name: 1 }).lean();
  const byId = new Map(users.map((user) => [user._id, user]));
  return members
    .map((member) => toMember(member, byId.get(member.user_id)))
    .sort((a, b) => a.full_name.localeCompare(b.full_name) || a.username.localeCompare(b.username));
}
