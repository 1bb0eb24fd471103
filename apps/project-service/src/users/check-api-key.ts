import type { ApiKeyState, CheckApiKeyRequest } from '@claude-cli/proto/platform/v1/auth';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import { derivedId } from '@claude-cli/shared/ids';
import { keep, keepingOf } from '../audit/write.ts';
import type { Context } from '../context.ts';
import { stateFields, toAccountState } from './account-state.ts';
import { hashOfKey } from './api-key.ts';
import type { StoredApiKey } from './user.ts';

/** How exactly the last use of a key is kept, in milliseconds. */
const useIsKeptToMs = 60_000;

/** Whose an API key is, and what it permits. */
export async function checkApiKey(ctx: Context, request: CheckApiKeyRequest, call: Call): Promise<ApiKeyState> {
  const hash = hashOfKey(request.key);
  const user = await ctx.users.findOne({ 'api_keys.hash': hash }, { ...stateFields, api_keys: 1 }).lean();
  const key = user?.api_keys.find((each) => each.hash === hash);
  const now = new Date();
  if (!user || !key || (key.expires_at && key.expires_at <= now)) {
    throw new PlatformError('AUTH_TOKEN_INVALID', 'The API key is unknown, deleted or expired');
  }
  if (now.getTime() - (key.last_used_at?.getTime() ?? 0) > useIsKeptToMs) {
    // Nobody waits for it: a use that is not noted is noted the next time.
    noteUse(ctx, user._id, key, now, call).catch((err) =>
      call.log.warn({ err, key_id: key.id }, 'a use was not noted'),
    );
  }
  return {
    key_id: key.id,
    user_id: user._id,
    account: toAccountState(user),
    scopes: key.scopes,
    expires_at: key.expires_at?.toISOString(),
  };
}

// Not a change of the account: its version stays, and of those who note a use at once, one does.
async function noteUse(ctx: Context, user_id: string, key: StoredApiKey, now: Date, call: Call): Promise<void> {
  const { id, name, last_used_at } = key;
  if (!last_used_at) {
    // Kept before it is noted: if this process dies in between, the next use is the first again, under the same id.
    await keep(keepingOf(ctx), {
      id: derivedId(id, 'first use'),
      time: now,
      actor: user_id,
      action: 'api_key.first_used',
      outcome: 'success',
      target: { type: 'api_key', id },
      address: call.caller.address ?? null,
      request_id: call.requestId,
      details: { name },
    });
  }
  const unnoted = { _id: user_id, api_keys: { $elemMatch: { id, last_used_at } } };
  await ctx.users.updateOne(unnoted, { $set: { 'api_keys.$.last_used_at': now } });
}
