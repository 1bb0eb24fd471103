import type { UpdatePreferencesRequest } from '@claude-cli/proto/platform/v1/users';
import { invalidField } from '@claude-cli/shared/errors';

/** Preferences of an account that has chosen none. */
export const defaultPreferences: Record<string, unknown> = {
  theme: 'light',
  language: 'en',
  timezone: 'UTC',
  notifications: { email: true, push: false, task_updates: true },
};

/** Names of notifications that one account may keep. */
export const maxNotifications = 100;
/** Longest of those names, in characters. */
export const maxNotificationName = 100;
/** Largest layout of a front end, in characters of its JSON. Accounts are read often and whole. */
export const maxLayoutLength = 65_536;

/**
 * Preferences after a change: what is given replaces what there was, notifications key by key.
 * @throws PlatformError VALIDATION_ERROR, VALIDATION_VALUE_TOO_LONG for more than an account may keep
 */
export function mergedPreferences(
  present: Record<string, unknown>,
  { theme, language, timezone, notifications, dashboard_layout }: UpdatePreferencesRequest,
): Record<string, unknown> {
  const given = Object.entries({ theme, language, timezone, dashboard_layout }).filter(
    ([, value]) => value !== undefined,
  );
  const merged = { ...(present.notifications as Record<string, boolean> | undefined), ...notifications };
  if (Object.keys(merged).length > maxNotifications) {
    throw invalidField('notifications', `must be at most ${maxNotifications} together with those there are`);
  }
  if (Object.keys(merged).some((name) => name.length > maxNotificationName)) {
    const issue = `names must be at most ${maxNotificationName} characters long`;
    throw invalidField('notifications', issue, 'VALIDATION_VALUE_TOO_LONG');
  }
  if (JSON.stringify(dashboard_layout ?? {}).length > maxLayoutLength) {
    const issue = `must be at most ${maxLayoutLength} characters long as JSON`;
    throw invalidField('dashboard_layout', issue, 'VALIDATION_VALUE_TOO_LONG');
  }
  return { ...present, ...Object.fromEntries(given), notifications: merged };
}
