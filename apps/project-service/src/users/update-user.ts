import type { UpdateUserRequest, User as UserMessage } from '@claude-cli/proto/platform/v1/users';
import type { Call } from '@claude-cli/shared/grpc/server';
import { changesOf } from '@claude-cli/shared/guarded-update';
import { hash } from '@node-rs/argon2';
import type { Context } from '../context.ts';
import { changeUser } from './change-user.ts';
import { requireSignIn } from './current-user.ts';
import { keepAnAdmin } from './keep-an-admin.ts';
import { revokingAll } from './revocation.ts';
import { keysOf, statusOf, toProto, type User } from './user.ts';

/** Change the fields given of an account. */
export async function updateUser(ctx: Context, request: UpdateUserRequest, call: Call): Promise<UserMessage> {
  const { password } = request;
  if (password !== undefined) requireSignIn(call.caller);
  const passwordHash = password === undefined ? undefined : await hash(password);
  const user = await changeUser(ctx, request.user_id, call, async (account) => {
    const set = wanted(account, request, passwordHash);
    if (changesOf(account, set).length === 0) return undefined;
    await keepAnAdmin(ctx, account, set);
    return set;
  });
  return toProto(user);
}

function wanted(user: User, request: UpdateUserRequest, passwordHash: string | undefined): Partial<User> {
  const set: Partial<User> = {};
  if (request.email !== undefined) set.email = request.email;
  if (request.full_name !== undefined) set.full_name = request.full_name;
  if (request.role !== undefined) set.role = request.role;
  if (request.tier !== undefined) set.tier = request.tier;
  if (request.avatar_url !== undefined) set.avatar_url = request.avatar_url;
  if (passwordHash !== undefined) set.password_hash = passwordHash;
  if (request.status !== undefined && request.status !== statusOf(user)) {
    set.disabled_at = request.status === 'disabled' ? new Date() : null;
  }
  const revokes = passwordHash !== undefined || set.disabled_at;
  return { ...set, ...keysOf({ ...user, ...set }), ...(revokes ? revokingAll(user) : {}) };
}
