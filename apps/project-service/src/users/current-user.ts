import type { Caller, Credential } from '@claude-cli/shared/caller';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import type { User } from './user.ts';

/** The account of the caller. @throws PlatformError AUTH_TOKEN_INVALID when it is gone, AUTH_ACCOUNT_DISABLED */
export async function currentUser(ctx: Context, call: Call): Promise<User> {
  const user = await ctx.users.findOne({ _id: call.caller.user_id }).lean();
  if (!user) throw accountGone();
  requireEnabled(user);
  return user;
}

/** The error for a caller whose account is not there. */
export function accountGone(): PlatformError {
  return new PlatformError('AUTH_TOKEN_INVALID', 'The account of this token does not exist');
}

/** Refuse a disabled account. @throws PlatformError AUTH_ACCOUNT_DISABLED */
export function requireEnabled({ disabled_at }: Pick<User, 'disabled_at'>): void {
  if (disabled_at) throw new PlatformError('AUTH_ACCOUNT_DISABLED', 'The account is disabled');
}

/**
 * Refuse programs where only a person who signed in may ask: what an API key is not to outlive itself by.
 * @returns the token of the sign-in
 * @throws PlatformError AUTH_INSUFFICIENT_PERMISSIONS
 */
export function requireSignIn({ credential }: Caller): Credential {
  if (credential?.kind === 'token') return credential;
  throw new PlatformError(
    'AUTH_INSUFFICIENT_PERMISSIONS',
    'This needs the token of a sign-in; an API key is not enough',
  );
}

/**
 * The same, and the token is still good by what the account says now: a gateway may let a token in for seconds after it
 * was revoked, and those seconds must not buy a new token or a key.
 * @throws PlatformError AUTH_TOKEN_INVALID, AUTH_ACCOUNT_DISABLED, AUTH_INSUFFICIENT_PERMISSIONS
 */
export function requireGoodToken(user: User, caller: Caller): Credential {
  const credential = requireSignIn(caller);
  requireEnabled(user);
  const { id, token_version = user.token_version } = credential;
  if (token_version !== user.token_version || user.revoked_tokens.some(({ jti }) => jti === id)) {
    throw new PlatformError('AUTH_TOKEN_INVALID', 'The token was revoked');
  }
  return credential;
}
