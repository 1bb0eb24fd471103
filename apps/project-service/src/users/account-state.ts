import type { AccountState } from '@claude-cli/proto/platform/v1/auth';
import { stillRevoked } from './revocation.ts';
import type { User } from './user.ts';

/** Fields of an account that {@link toAccountState} reads. */
export const stateFields = {
  username: 1,
  role: 1,
  tier: 1,
  disabled_at: 1,
  token_version: 1,
  revoked_tokens: 1,
} as const;

/** What decides whether a token of an account is still good, as the contract shows it. */
export function toAccountState(user: Pick<User, keyof typeof stateFields>): AccountState {
  const { username, role, tier, disabled_at, token_version } = user;
  const revoked_token_ids = stillRevoked(user).map(({ jti }) => jti);
  return { username, role, tier, disabled: disabled_at !== null, token_version, revoked_token_ids };
}
