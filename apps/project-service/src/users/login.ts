import type { LoginRequest, LoginResponse } from '@claude-cli/proto/platform/v1/auth';
import { PlatformError } from '@claude-cli/shared/errors';
import { foldedKey } from '@claude-cli/shared/folded-key';
import type { Call } from '@claude-cli/shared/grpc/server';
import { hash, verify } from '@node-rs/argon2';
import { keepFailedLogin, keepLogin } from '../audit/sign-ins.ts';
import type { Context } from '../context.ts';
import { requireEnabled } from './current-user.ts';
import { issueToken } from './issue-token.ts';

// Verified against when there is no such account, so that the time of an answer does not tell which names exist.
const nobodysHash = hash('nobody has this password');

/** Sign in with username and password. */
export async function login(ctx: Context, request: LoginRequest, call: Call): Promise<LoginResponse> {
  const user = await ctx.users.findOne({ username_key: foldedKey(request.username) }).lean();
  const matches = await verify(user?.password_hash ?? (await nobodysHash), request.password);
  if (!user || !matches) {
    await keepFailedLogin(ctx, user ?? undefined, 'failure', call);
    throw new PlatformError('AUTH_TOKEN_INVALID', 'Username or password is wrong');
  }
  if (user.disabled_at) await keepFailedLogin(ctx, user, 'refused', call);
  requireEnabled(user);
  await Promise.all([
    keepLogin(ctx, user, call),
    ctx.users.updateOne({ _id: user._id }, { $set: { last_login: new Date() } }),
  ]);
  return { ...issueToken(ctx, user), user: { id: user._id, username: user.username, email: user.email } };
}
