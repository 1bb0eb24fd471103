import type { Credential } from '@claude-cli/shared/caller';
import type { RevokedToken, User } from './user.ts';

/** Single tokens that an account keeps as revoked; beyond, all its tokens are revoked instead. */
export const maxRevokedTokens = 100;

type Tokens = Pick<User, 'token_version' | 'revoked_tokens'>;

/** What revokes every token of an account: none of those issued so far has the new version. */
export function revokingAll({ token_version }: Tokens): Tokens {
  return { token_version: token_version + 1, revoked_tokens: [] };
}

/** What revokes one token of an account; every token when it is not known how long that one would live, or the list is full. */
export function revokingOne(tokens: Tokens, { id, expires_at }: Credential, now = new Date()): Tokens {
  const kept = stillRevoked(tokens, now).filter(({ jti }) => jti !== id);
  if (expires_at === undefined || kept.length >= maxRevokedTokens) return revokingAll(tokens);
  const revoked = { jti: id, expires_at: new Date(expires_at * 1000) };
  return { token_version: tokens.token_version, revoked_tokens: [...kept, revoked] };
}

/** The revoked tokens that would be accepted if they were not revoked. */
export function stillRevoked({ revoked_tokens }: Pick<User, 'revoked_tokens'>, now = new Date()): RevokedToken[] {
  return revoked_tokens.filter(({ expires_at }) => expires_at > now);
}
