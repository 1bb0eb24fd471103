import { createHash, randomBytes } from 'node:crypto';
import type { ApiKey } from '@claude-cli/proto/platform/v1/users';
import { apiKeyPrefix } from '@claude-cli/shared/tokens';
import type { StoredApiKey } from './user.ts';

/** API keys that one user may have. */
export const maxApiKeys = 50;

const secretBytes = 32;
const shownCharacters = 12;

/** A new key for a program: 256 random bits behind the prefix that every key has. */
export function newApiKey(): string {
  return apiKeyPrefix + randomBytes(secretBytes).toString('base64url');
}

/** What of a key may be shown. */
export function shownPart(key: string): string {
  return key.slice(0, shownCharacters);
}

/** How a key is stored. A fast hash is enough: nobody guesses 256 random bits. */
export function hashOfKey(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

/** A key as the contract shows it, without the key itself. */
export function toProto(key: StoredApiKey): ApiKey {
  return {
    id: key.id,
    name: key.name,
    prefix: key.prefix,
    scopes: key.scopes,
    created_at: key.created_at.toISOString(),
    expires_at: key.expires_at?.toISOString(),
    last_used_at: key.last_used_at?.toISOString(),
  };
}
