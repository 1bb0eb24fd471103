import { PlatformError } from '@claude-cli/shared/errors';
import type { Context } from '../context.ts';
import type { User } from './user.ts';

/**
 * Refuse a change that would leave the platform without an active admin. To be called by the decision of a guarded update.
 *
 * Two documents decide here, and no transaction holds them. So another active admin is found *and its version counted up*
 * in one update: it vouches for the one that goes. If that other admin is being demoted at the same time, on grounds of a
 * document read before, its own guard fails now and it is decided again. Each demotion that succeeds was vouched for after
 * its document was read, by somebody who was an active admin then; whoever vouched and was demoted since had read later,
 * and been vouched for later still, by somebody else than the one who goes, whose guard would have failed otherwise. That
 * chain ends at an admin who is active. Dying in between leaves a version that counted up for nothing.
 * @throws PlatformError RESOURCE_CONFLICT
 */
export async function keepAnAdmin(ctx: Context, user: User, set: Partial<User>): Promise<void> {
  if (!isActiveAdmin(user) || isActiveAdmin({ ...user, ...set })) return;
  const others = { _id: { $ne: user._id }, role: 'admin', disabled_at: null } as const;
  const { matchedCount } = await ctx.users.updateOne(others, { $inc: { version: 1 } });
  if (matchedCount > 0) return;
  throw new PlatformError('RESOURCE_CONFLICT', 'The last active admin can be neither disabled nor given another role', {
    user_id: user._id,
  });
}

function isActiveAdmin({ role, disabled_at }: User): boolean {
  return role === 'admin' && disabled_at === null;
}
