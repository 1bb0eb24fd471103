import { PlatformError } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import type { User } from './user.ts';

/** The account of the caller. @throws PlatformError AUTH_TOKEN_INVALID when it is gone, AUTH_ACCOUNT_DISABLED */
export async function currentUser(ctx: Context, call: Call): Promise<User> {
  const user = await ctx.users.findOne({ _id: call.caller.user_id }).lean();
  if (!user) throw new PlatformError('AUTH_TOKEN_INVALID', 'The account of this token does not exist');
  if (user.disabled_at) throw new PlatformError('AUTH_ACCOUNT_DISABLED', 'The account is disabled');
  return user;
}
