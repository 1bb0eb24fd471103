import { newEvent } from '@claude-cli/shared/events';
import { until } from '@claude-cli/shared/testing/until';
import type { TestPlatform } from './platform.ts';

/** Wait until all changes of a session are told, and forgotten by its outbox: until then they show in its history. */
export function allTold({ ctx }: Pick<TestPlatform, 'ctx'>, session_id: string) {
  return until('all changes to be told', async () => {
    const stored = await ctx.sessions.findById(session_id).lean();
    return stored?.outbox.length === 0 && stored;
  });
}

/**
 * Bring a session into the state that a process leaves which dies right after its latest change of settings: the event waits
 * in the outbox, its entry is missing in the history.
 * @returns the event
 */
export async function leaveUntold({ ctx }: Pick<TestPlatform, 'ctx'>, session_id: string) {
  const session = await allTold({ ctx }, session_id);
  const entry = await ctx.sessionHistory.findOneAndDelete({ session_id, action: 'settings_changed' }).lean();
  if (!entry) throw new Error('no change of settings has been told');
  const { user_id, project_id, version } = session;
  const { before, after } = entry.details;
  const changes = [{ field: 'settings', old_value: before, new_value: after }];
  const made = newEvent('session.updated', { actor: user_id, project_id, version }, { session_id, user_id, changes });
  const event = { ...made, id: entry._id, time: entry.timestamp.toISOString() };
  await ctx.sessions.updateOne({ _id: session_id }, { $push: { outbox: event } });
  return event;
}
