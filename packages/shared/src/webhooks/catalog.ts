import type { z } from 'zod';
import type { EventType, PlatformEvent } from '../events.ts';
import type { Deliverable } from './deliverable.ts';
import { projectEvents } from './project-events.ts';
import { systemEvents } from './system-events.ts';
import { taskEvents } from './task-events.ts';
import { webhookEvents } from './webhook-events.ts';

/** Every type of event that can be delivered. The contract's lists of types, and docs/webhooks.md, are compared with it by tests. */
const catalog = { ...taskEvents, ...projectEvents, ...systemEvents, ...webhookEvents } as const;

/** A type of event that can be delivered. */
export type DeliverableType = keyof typeof catalog;

/** Every type of event that can be delivered. */
export const deliverableTypes = Object.keys(catalog) as DeliverableType[];

/** An event that can be delivered. */
export type DeliverableEvent = { [Type in DeliverableType]: PlatformEvent<Type> }[DeliverableType];

/** Whether a type of event can be delivered. */
export function isDeliverable(type: string): type is DeliverableType {
  return Object.hasOwn(catalog, type);
}

/** A type of the catalog, of which only the type decides more. */
export function entryOf(type: DeliverableType): Deliverable<EventType, z.ZodObject> {
  return catalog[type] as unknown as Deliverable<EventType, z.ZodObject>;
}

/** What webhooks subscribe to that are told of an event of a type. */
export function subscriptionsTo(type: DeliverableType): string[] {
  return entryOf(type).byNameOnly ? [type] : [type, '*'];
}
