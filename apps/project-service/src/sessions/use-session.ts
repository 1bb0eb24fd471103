import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { accessedNow, type Session, sessionNotFound, statusOf } from './session.ts';

/**
 * Count a use of an active session of the caller and move its expiry. Unlike a change it is decided on nothing, so that any
 * number of requests at once use a session without being in each other's way.
 * @param activities entries that the use makes in the history
 * @throws PlatformError RESOURCE_NOT_FOUND for closed, expired and foreign sessions
 */
export async function useSession(
  ctx: Context,
  session_id: string,
  { caller }: Call,
  activities: 0 | 1 = 0,
): Promise<Session> {
  const now = new Date();
  const { user_id } = caller;
  const active = { _id: session_id, user_id, deleted_at: null, expires_at: { $gt: now } };
  const update = { $max: accessedNow(now), $inc: { activity_count: activities } };
  const used = await ctx.sessions.findOneAndUpdate(active, update, { returnDocument: 'after' }).lean();
  if (used) return used;
  const own = await ctx.sessions.findOne({ _id: session_id, user_id }, { deleted_at: 1, expires_at: 1 }).lean();
  throw sessionNotFound(session_id, own ? statusOf(own, now) : undefined);
}
