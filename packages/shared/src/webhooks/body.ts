import { z } from 'zod';
import { type DeliverableType, entryOf } from './catalog.ts';

const exampleIds = {
  webhook_id: '01985b6a-4c80-7b2d-8a3e-5f6c7d8e9a01',
  delivery_id: '01985b6a-4c80-7e6f-9c0d-2b3a4c5d6e7f',
};

/** The body of a delivery of a type of event, as JSON Schema (2020-12). What is not in it may be added later. */
export function schemaOf(type: DeliverableType): Record<string, unknown> {
  const body = z.object({
    event: z.literal(type),
    timestamp: z.iso.datetime(),
    data: entryOf(type).data,
    webhook_id: z.string(),
    delivery_id: z.string(),
  });
  return z.toJSONSchema(body, { io: 'input' });
}

/** An example of the body of a delivery of a type of event. */
export function exampleBody(type: DeliverableType): Record<string, unknown> {
  return { event: type, timestamp: '2025-07-30T14:00:00Z', data: entryOf(type).example, ...exampleIds };
}
