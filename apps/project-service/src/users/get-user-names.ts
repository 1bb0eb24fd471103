import type { GetUserNamesRequest, GetUserNamesResponse } from '@claude-cli/proto/platform/v1/users';
import type { Context } from '../context.ts';

const maxIds = 1_000;

/** Display names by user id. */
export async function getUserNames(ctx: Context, { user_ids }: GetUserNamesRequest): Promise<GetUserNamesResponse> {
  const users = await ctx.users.find({ _id: { $in: user_ids.slice(0, maxIds) } }, { full_name: 1 }).lean();
  return { names: Object.fromEntries(users.map((user) => [user._id, user.full_name])) };
}
