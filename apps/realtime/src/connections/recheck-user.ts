import { PlatformError } from '@claude-cli/shared/errors';
import type { Context } from '../context.ts';
import type { Connection } from './connection.ts';

/** Ask again about a user whose account was changed, and end the connections that would not be let in as they are any more. */
export async function recheckUser(ctx: Context, userId: string): Promise<void> {
  ctx.accounts.forget(userId);
  await Promise.all(ctx.connections.ofUser(userId).map((connection) => recheck(ctx, connection)));
}

async function recheck({ accounts }: Context, connection: Connection): Promise<void> {
  const { caller, requestId } = connection.origin;
  try {
    const role = await accounts.roleOf(caller, requestId);
    if (role === caller.role) return;
    connection.refuse(
      new PlatformError('AUTH_TOKEN_INVALID', 'The role of the account has changed, sign in again'),
      4401,
    );
  } catch (thrown) {
    const error = PlatformError.from(thrown);
    // Whoever cannot be asked about now stays, as at the other doors.
    if (error.httpStatus === 401) connection.refuse(error, 4401);
    if (error.code === 'AUTH_ACCOUNT_DISABLED') connection.refuse(error, 4403);
  }
}
