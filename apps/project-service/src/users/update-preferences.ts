import type { UpdatePreferencesRequest, UpdatePreferencesResponse } from '@claude-cli/proto/platform/v1/users';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { changeOwnAccount } from './change-user.ts';
import { requireEnabled } from './current-user.ts';
import { mergedPreferences } from './preferences.ts';

/** Merge preferences into those of the caller. */
export async function updatePreferences(
  ctx: Context,
  request: UpdatePreferencesRequest,
  call: Call,
): Promise<UpdatePreferencesResponse> {
  const { preferences, updated_at } = await changeOwnAccount(ctx, call, (user) => {
    requireEnabled(user);
    return { preferences: mergedPreferences(user.preferences, request) };
  });
  return { preferences, updated_at: updated_at.toISOString() };
}
