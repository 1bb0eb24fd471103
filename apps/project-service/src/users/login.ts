import type { LoginRequest, LoginResponse } from '@claude-cli/proto/platform/v1/auth';
import { PlatformError } from '@claude-cli/shared/errors';
import { foldedKey } from '@claude-cli/shared/folded-key';
import { hash, verify } from '@node-rs/argon2';
import type { Context } from '../context.ts';
import { requireEnabled } from './current-user.ts';
import { issueToken } from './issue-token.ts';

// Verified against when there is no such account, so that the time of an answer does not tell which names exist.
const nobodysHash = hash('nobody has this password');

/** Sign in with username and password. */
export async function login(ctx: Context, request: LoginRequest): Promise<LoginResponse> {
  const user = await ctx.users.findOne({ username_key: foldedKey(request.username) }).lean();
  const matches = await verify(user?.password_hash ?? (await nobodysHash), request.password);
  if (!user || !matches) throw new PlatformError('AUTH_TOKEN_INVALID', 'Username or password is wrong');
  requireEnabled(user);
  await ctx.users.updateOne({ _id: user._id }, { $set: { last_login: new Date() } });
  return { ...issueToken(ctx, user), user: { id: user._id, username: user.username, email: user.email } };
}
