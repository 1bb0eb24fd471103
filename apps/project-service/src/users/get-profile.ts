import type { GetProfileRequest, Profile } from '@claude-cli/proto/platform/v1/users';
import { permissionsOf } from '@claude-cli/shared/caller';
import { formatDuration } from '@claude-cli/shared/duration';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { totalLoginTime } from '../sessions/session.ts';
import { currentUser } from './current-user.ts';

/** The caller's own account with preferences and statistics. */
export async function getProfile(ctx: Context, _: GetProfileRequest, call: Call): Promise<Profile> {
  const { user_id } = call.caller;
  const [user, taskStatistics, projects_created, loginTime] = await Promise.all([
    currentUser(ctx, call),
    ctx.tasks.getUserTaskStatistics({ user_id }, call),
    ctx.projects.countDocuments({ created_by: user_id, deleted_at: null }),
    totalLoginTime(ctx.sessions, user_id),
  ]);
  return {
    id: user._id,
    username: user.username,
    email: user.email,
    full_name: user.full_name,
    avatar_url: user.avatar_url ?? undefined,
    role: user.role,
    permissions: [...permissionsOf[user.role]],
    created_at: user.created_at.toISOString(),
    last_login: user.last_login?.toISOString(),
    preferences: user.preferences,
    tier: user.tier,
    statistics: { ...taskStatistics, projects_created, total_login_time: formatDuration(loginTime) },
  };
}
