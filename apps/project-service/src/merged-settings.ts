import { invalidField } from '@claude-cli/shared/errors';

/** What free-form settings may take in all, in bytes of their JSON: as much as one request may bring. */
export const maxSettingsBytes = 65_536;

/** Settings with others merged into them key by key. @throws PlatformError VALIDATION_VALUE_TOO_LONG when they get too large */
export function mergedSettings(
  present: Record<string, unknown>,
  given: Record<string, unknown> = {},
): Record<string, unknown> {
  const merged = { ...present, ...given };
  if (Buffer.byteLength(JSON.stringify(merged)) > maxSettingsBytes) {
    const issue = `must not exceed ${maxSettingsBytes} bytes together with the settings that are there`;
    throw invalidField('settings', issue, 'VALIDATION_VALUE_TOO_LONG');
  }
  return merged;
}
