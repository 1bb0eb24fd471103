import type { AccountState, CheckUserRequest } from '@claude-cli/proto/platform/v1/auth';
import type { Context } from '../context.ts';
import { stateFields, toAccountState } from './account-state.ts';
import { accountGone } from './current-user.ts';

/** What a gateway has to know about the user of a token. */
export async function checkUser(ctx: Context, { user_id }: CheckUserRequest): Promise<AccountState> {
  const user = await ctx.users.findOne({ _id: user_id }, stateFields).lean();
  if (!user) throw accountGone();
  return toAccountState(user);
}
