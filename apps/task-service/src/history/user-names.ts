import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import type { Context } from '../context.ts';
import type { HistoryEntry } from './history.ts';

/** Names of the users in history entries. A user who is unknown, such as a service, is named by the id. */
export async function userNames(
  ctx: Context,
  entries: HistoryEntry[],
  origin: Origin,
): Promise<(user_id: string) => string> {
  const user_ids = [...new Set(entries.map(({ user_id }) => user_id))];
  const { names } = user_ids.length > 0 ? await ctx.users.getUserNames({ user_ids }, origin) : { names: {} };
  return (user_id) => names[user_id] ?? user_id;
}
