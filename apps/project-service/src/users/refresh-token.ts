import type { RefreshTokenRequest, RefreshTokenResponse } from '@claude-cli/proto/platform/v1/auth';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { currentUser, requireGoodToken } from './current-user.ts';
import { issueToken } from './issue-token.ts';

/** Exchange a valid token for a new one, with the role that the account has now. */
export async function refreshToken(ctx: Context, _: RefreshTokenRequest, call: Call): Promise<RefreshTokenResponse> {
  const user = await currentUser(ctx, call);
  requireGoodToken(user, call.caller);
  return issueToken(ctx, user);
}
