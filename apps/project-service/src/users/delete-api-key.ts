import type { DeleteApiKeyRequest, DeleteApiKeyResponse } from '@claude-cli/proto/platform/v1/users';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { changeOwnAccount } from './change-user.ts';
import { requireGoodToken, requireSignIn } from './current-user.ts';

/** Delete an API key of the caller. */
export async function deleteApiKey(
  ctx: Context,
  { key_id }: DeleteApiKeyRequest,
  call: Call,
): Promise<DeleteApiKeyResponse> {
  requireSignIn(call.caller);
  const user = await changeOwnAccount(ctx, call, (account) => {
    requireGoodToken(account, call.caller);
    const kept = account.api_keys.filter(({ id }) => id !== key_id);
    if (kept.length < account.api_keys.length) return { api_keys: kept };
    throw new PlatformError('RESOURCE_NOT_FOUND', 'The API key does not exist', { key_id });
  });
  return { message: 'API key deleted successfully', deleted_at: user.updated_at.toISOString() };
}
