import type { GetUserRequest, User as UserMessage } from '@claude-cli/proto/platform/v1/users';
import type { Context } from '../context.ts';
import { toProto, userNotFound } from './user.ts';

/** One account. */
export async function getUser(ctx: Context, { user_id }: GetUserRequest): Promise<UserMessage> {
  const user = await ctx.users.findOne({ _id: user_id }).lean();
  if (!user) throw userNotFound(user_id);
  return toProto(user);
}
