import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import type { Context } from '../context.ts';

/** Names of users, at most 1,000 of them. One who is unknown, such as a service, is named by the id. */
export async function userNames(
  ctx: Context,
  ids: Iterable<string>,
  origin: Origin,
): Promise<(user_id: string) => string> {
  const user_ids = [...new Set(ids)];
  const { names } = user_ids.length > 0 ? await ctx.users.getUserNames({ user_ids }, origin) : { names: {} };
  return (user_id) => names[user_id] ?? user_id;
}
