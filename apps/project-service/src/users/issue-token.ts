import { signToken } from '@claude-cli/shared/tokens';
import type { Context } from '../context.ts';
import type { User } from './user.ts';

/** A fresh token for a user, as answers carry it. */
export function issueToken({ config }: Context, user: Pick<User, '_id' | 'username' | 'role' | 'token_version'>) {
  const { JWT_SECRET, JWT_EXPIRES_IN } = config;
  const { _id: id, username, role, token_version: tokenVersion } = user;
  return {
    access_token: signToken(JWT_SECRET, { id, username, role, tokenVersion }, JWT_EXPIRES_IN),
    token_type: 'bearer',
    expires_in: JWT_EXPIRES_IN,
  };
}
