import type { ChangePasswordRequest, ChangePasswordResponse } from '@claude-cli/proto/platform/v1/users';
import { invalidField } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import { hash, verify } from '@node-rs/argon2';
import { keepWrongPassword } from '../audit/sign-ins.ts';
import type { Context } from '../context.ts';
import { changeOwnAccount } from './change-user.ts';
import { requireGoodToken, requireSignIn } from './current-user.ts';
import { issueToken } from './issue-token.ts';
import { revokingAll } from './revocation.ts';

/** Change the caller's password, which revokes every token of the account, and answer a new one. */
export async function changePassword(
  ctx: Context,
  { current_password, new_password }: ChangePasswordRequest,
  call: Call,
): Promise<ChangePasswordResponse> {
  requireSignIn(call.caller);
  const user = await changeOwnAccount(ctx, call, async (account) => {
    requireGoodToken(account, call.caller);
    if (!(await verify(account.password_hash, current_password))) {
      await keepWrongPassword(ctx, account, call);
      throw invalidField('current_password', 'is not the present password');
    }
    return { password_hash: await hash(new_password), ...revokingAll(account) };
  });
  return { message: 'Password changed successfully', ...issueToken(ctx, user) };
}
