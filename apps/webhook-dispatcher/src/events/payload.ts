import type { DeliverableEvent, DeliverableType } from '@claude-cli/shared/webhooks/catalog';
import { entryOf } from '@claude-cli/shared/webhooks/catalog';

/** What of an event goes into the body, whoever is told. */
export interface Told {
  event: DeliverableType;
  timestamp: string;
  data: Record<string, unknown>;
}

/** What is told of an event. @throws when the event is not as the catalog says */
export function toldOf(event: DeliverableEvent): Told {
  return { event: event.type, timestamp: event.time, data: entryOf(event.type).dataOf(event) };
}

/** What is told by an example of an event. */
export function exampleOf(type: DeliverableType, now: Date): Told {
  return { event: type, timestamp: now.toISOString(), data: entryOf(type).example };
}

/** The body of a delivery, to the byte: it is fixed when the delivery is created, so that every attempt sends the same. */
export function bodyOf(told: Told, webhook_id: string, delivery_id: string): string {
  return JSON.stringify({ ...told, webhook_id, delivery_id });
}
