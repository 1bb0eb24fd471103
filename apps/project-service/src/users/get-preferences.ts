import type { GetPreferencesRequest, Preferences } from '@claude-cli/proto/platform/v1/users';
import type { Context } from '../context.ts';
import { defaultPreferences } from './preferences.ts';

/** Preferences of a user; the defaults for an unknown one. */
export async function getPreferences(ctx: Context, { user_id }: GetPreferencesRequest): Promise<Preferences> {
  const user = await ctx.users.findOne({ _id: user_id }, { preferences: 1 }).lean();
  return { preferences: user?.preferences ?? defaultPreferences };
}
