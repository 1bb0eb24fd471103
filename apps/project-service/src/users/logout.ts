import type { LogoutRequest, LogoutResponse } from '@claude-cli/proto/platform/v1/auth';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { changeOwnAccount } from './change-user.ts';
import { requireGoodToken, requireSignIn } from './current-user.ts';
import { revokingAll, revokingOne } from './revocation.ts';

/** Revoke the caller's token, or every token of the account. */
export async function logout(ctx: Context, { everywhere }: LogoutRequest, call: Call): Promise<LogoutResponse> {
  requireSignIn(call.caller);
  await changeOwnAccount(ctx, call, (user) => {
    const token = requireGoodToken(user, call.caller);
    return everywhere ? revokingAll(user) : revokingOne(user, token);
  });
  return { message: everywhere ? 'Signed out everywhere' : 'Signed out' };
}
