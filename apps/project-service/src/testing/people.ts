import type { CreateUserRequest, User } from '@claude-cli/proto/platform/v1/users';
import { permissionsOf } from '@claude-cli/shared/caller';
import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { newId } from '@claude-cli/shared/ids';
import { verifyToken } from '@claude-cli/shared/tokens';
import type { TestPlatform } from './platform.ts';

/** Password of the accounts that {@link createPerson} makes. */
export const personsPassword = 'tr0ub4dor and three';

/** An account of its own, with a name that no other test uses. */
export function createPerson(platform: TestPlatform, given: Partial<CreateUserRequest> = {}): Promise<User> {
  const username = given.username ?? `person-${newId()}`;
  const account = { username, email: `${username}@example.com`, password: personsPassword, ...given };
  return platform.users.createUser(account, platform.admin);
}

/** The caller that a token stands for, as a gateway tells it. */
export function bearerOf({ ctx }: TestPlatform, token: string): Origin {
  const {
    sub: user_id,
    role,
    jti: id,
    exp: expires_at,
    ver: token_version = 0,
  } = verifyToken(ctx.config.JWT_SECRET, token);
  const credential = { kind: 'token', id, expires_at, token_version } as const;
  return { caller: { user_id, role, permissions: permissionsOf[role], credential }, requestId: newId() };
}

/** Sign in as somebody. */
export async function signIn(platform: TestPlatform, username: string, password = personsPassword): Promise<Origin> {
  const { access_token } = await platform.auth.login({ username, password }, platform.visitor);
  return bearerOf(platform, access_token);
}

/** Whether a gateway lets somebody in, by the rule of the contract. */
export async function isLetIn({ auth, visitor }: TestPlatform, { caller }: Origin): Promise<boolean> {
  const account = await auth.checkUser({ user_id: caller.user_id }, visitor);
  const { id = '', token_version } = caller.credential ?? {};
  return !account.disabled && account.token_version === token_version && !account.revoked_token_ids.includes(id);
}
