import type { CreateUserRequest, User as UserMessage } from '@claude-cli/proto/platform/v1/users';
import type { Call } from '@claude-cli/shared/grpc/server';
import { hash } from '@node-rs/argon2';
import type { Context } from '../context.ts';
import { refuseTaken } from './change-user.ts';
import { newAccount } from './new-account.ts';
import { toProto } from './user.ts';

/** Create an account. */
export async function createUser(ctx: Context, request: CreateUserRequest, { caller }: Call): Promise<UserMessage> {
  const { username, email, password, full_name, role, tier, avatar_url } = request;
  const account = newAccount(
    {
      username,
      email,
      full_name: full_name ?? username,
      role: role ?? 'developer',
      tier: tier ?? 'standard',
      avatar_url: avatar_url ?? null,
      password_hash: await hash(password),
    },
    { actor: caller.user_id, session_id: caller.session_id },
  );
  await ctx.users.create(account).catch(refuseTaken);
  void ctx.userOutbox.flush(account);
  return toProto(account);
}
