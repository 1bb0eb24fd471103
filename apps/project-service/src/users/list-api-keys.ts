import type { ListApiKeysRequest, ListApiKeysResponse } from '@claude-cli/proto/platform/v1/users';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { toProto } from './api-key.ts';
import { currentUser } from './current-user.ts';

/** API keys of the caller, newest first, without the keys themselves. */
export async function listApiKeys(ctx: Context, _: ListApiKeysRequest, call: Call): Promise<ListApiKeysResponse> {
  const { api_keys } = await currentUser(ctx, call);
  return { api_keys: api_keys.toReversed().map(toProto), total: api_keys.length };
}
