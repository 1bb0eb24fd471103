import type { Notification_Kind } from '@claude-cli/proto/platform/v1/notifications';
import { wants } from '@claude-cli/shared/wanted-notifications';

/** What a user has to do with a task. */
export type Relation = 'created' | 'assigned' | 'executed';

/** Whether a user wants notifications of a kind that are for that user alone. */
export function wantsKind(preferences: Record<string, unknown>, kind: Notification_Kind): boolean {
  return wants(preferences, kind);
}

/**
 * Whether a user wants to be told how a task ended: of tasks at all, of this end, and of tasks with which the user has to do
 * in one of these ways.
 */
export function wantsTask(
  preferences: Record<string, unknown>,
  kind: Notification_Kind,
  relations: Iterable<Relation>,
): boolean {
  if (!wants(preferences, 'task_updates') || !wants(preferences, kind)) return false;
  return [...relations].some((relation) => wants(preferences, `${relation}_tasks`));
}
