import { hash } from 'node:crypto';

/**
 * The id of the delivery of an event to a webhook: the same whoever makes it and whenever, so that an event which comes twice
 * is one delivery by its id alone. It begins with the time of the event's id, so that ids sort by it, and is a UUID of version 8.
 * @param event_id a UUIDv7
 */
export function deliveryIdOf(event_id: string, webhook_id: string): string {
  const digest = hash('sha256', `${event_id} ${webhook_id}`, 'hex');
  const [b, c, d] = [digest.slice(0, 3), digest.slice(3, 6), digest.slice(6, 18)];
  return `${event_id.slice(0, 13)}-8${b}-a${c}-${d}`;
}
