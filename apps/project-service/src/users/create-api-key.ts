import type { CreateApiKeyRequest, CreatedApiKey } from '@claude-cli/proto/platform/v1/users';
import type { Caller } from '@claude-cli/shared/caller';
import { invalidField, PlatformError } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import { newId } from '@claude-cli/shared/ids';
import type { Context } from '../context.ts';
import { hashOfKey, maxApiKeys, newApiKey, shownPart, toProto } from './api-key.ts';
import { changeOwnAccount } from './change-user.ts';
import { requireGoodToken, requireSignIn } from './current-user.ts';
import type { StoredApiKey } from './user.ts';

/** Create an API key of the caller. The answer is the only place where it is ever shown. */
export async function createApiKey(ctx: Context, request: CreateApiKeyRequest, call: Call): Promise<CreatedApiKey> {
  requireSignIn(call.caller);
  const key = newApiKey();
  const now = new Date();
  const stored: StoredApiKey = {
    id: newId(),
    name: request.name,
    prefix: shownPart(key),
    hash: hashOfKey(key),
    scopes: permittedScopes(request, call.caller),
    created_at: now,
    expires_at: futureExpiry(request, now),
    last_used_at: null,
  };
  await changeOwnAccount(ctx, call, (user) => {
    requireGoodToken(user, call.caller);
    if (user.api_keys.length >= maxApiKeys) {
      throw new PlatformError('RESOURCE_LIMIT_EXCEEDED', 'Too many API keys', { limit: maxApiKeys });
    }
    return { api_keys: [...user.api_keys, stored] };
  });
  const { last_used_at: _, ...shown } = toProto(stored);
  return { ...shown, key };
}

function permittedScopes({ scopes }: CreateApiKeyRequest, { permissions }: Caller): StoredApiKey['scopes'] {
  const missing = scopes.filter((scope) => !permissions.includes(scope));
  if (missing.length === 0) return [...new Set(scopes)];
  throw new PlatformError('AUTH_INSUFFICIENT_PERMISSIONS', 'A key permits no more than you may do yourself', {
    field: 'scopes',
    required: missing,
  });
}

function futureExpiry({ expires_at }: CreateApiKeyRequest, now: Date): Date | null {
  if (expires_at === undefined) return null;
  const expiry = new Date(expires_at);
  if (expiry <= now) throw invalidField('expires_at', 'must lie ahead');
  return expiry;
}
