import { invalidField } from '@claude-cli/shared/errors';
import type { Context } from '../context.ts';
import { catchUp } from './history.ts';
import type { Session } from './session.ts';

/** The point in time that a request names. @throws PlatformError for one before the session's creation, or in the future */
export function requireRestorePoint(given: string | undefined, created_at: Date, now = new Date()): Date {
  if (given === undefined) throw invalidField('restore_point', 'is required', 'VALIDATION_REQUIRED_FIELD');
  const point = new Date(given);
  if (Number.isNaN(point.getTime())) {
    throw invalidField('restore_point', 'must be a date and time', 'VALIDATION_INVALID_FORMAT');
  }
  if (point > now) throw invalidField('restore_point', 'must not be in the future');
  if (point < created_at) {
    throw invalidField('restore_point', `must not be before the session was created, at ${created_at.toISOString()}`);
  }
  return point;
}

/**
 * Settings of a session at a point in time: those before the first change after it, or the present ones.
 * @throws PlatformError when the history does not reach back so far
 */
export async function settingsAt(ctx: Context, session: Session, point: Date): Promise<Record<string, unknown>> {
  const { _id: session_id } = session;
  await catchUp(ctx, session);
  // Old entries are dropped before newer ones: an entry from before the point shows that all later ones are there.
  const reachesBack = await ctx.sessionHistory.exists({ session_id, timestamp: { $lte: point } });
  if (!reachesBack) throw invalidField('restore_point', 'is before everything that the history of the session holds');
  const changed = { $in: ['settings_changed', 'settings_restored'] as const };
  const [next] = await ctx.sessionHistory
    .find({ session_id, timestamp: { $gt: point }, action: changed })
    .sort({ timestamp: 1, _id: 1 })
    .limit(1)
    .lean();
  return next ? (next.details.before as Record<string, unknown>) : session.settings;
}
