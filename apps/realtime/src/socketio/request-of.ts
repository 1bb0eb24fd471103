import { invalidField } from '@claude-cli/shared/errors';
import { isId } from '@claude-cli/shared/ids';
import type { Connection } from '../connections/connection.ts';

/** The message in an event: its type is the event's name, its fields are those of the payload. @throws PlatformError VALIDATION_* */
export function requestOf(event: string, payloads: readonly unknown[]): Record<string, unknown> {
  const [payload = {}, ...more] = payloads;
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload) || more.length > 0) {
    throw invalidField('message', 'must be one object', 'VALIDATION_INVALID_FORMAT');
  }
  if ('type' in payload && payload.type !== event) throw invalidField('type', 'must be the name of the event');
  return { ...payload, type: event };
}

/** What signs in, out of what was sent; the session is named here, and once. @throws PlatformError VALIDATION_* */
export function signInOf(connection: Connection, { session_id, ...fields }: Record<string, unknown>): object {
  if (session_id === undefined) return fields;
  if (!isId(session_id)) throw invalidField('session_id', 'must be a UUID', 'VALIDATION_INVALID_FORMAT');
  const sessionId = session_id.toLowerCase();
  connection.sessionId ??= sessionId;
  if (connection.sessionId !== sessionId) throw invalidField('session_id', 'cannot be another one');
  return fields;
}
