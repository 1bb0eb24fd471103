import type { Notification_Kind } from '@claude-cli/proto/platform/v1/notifications';

/** Kinds of notifications that are for everybody. */
const kindsForEverybody = ['maintenance', 'alert'] as const satisfies Notification_Kind[];

/** Whether a user wants what is switched by a name among the preferences for notifications: what is not switched off is wanted. */
export function wants(preferences: Record<string, unknown>, name: string): boolean {
  const chosen = preferences.notifications as Record<string, unknown> | null | undefined;
  return chosen?.[name] !== false;
}

/** Kinds among those for everybody that a user does not want. */
export function unwantedKinds(preferences: Record<string, unknown>): Notification_Kind[] {
  return kindsForEverybody.filter((kind) => !wants(preferences, kind));
}
