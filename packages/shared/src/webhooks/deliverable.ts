import { z } from 'zod';
import type { Change, EventType, PlatformEvent } from '../events.ts';

/** A type of event that can be delivered: what receivers are told. */
export interface Deliverable<Type extends EventType, Data extends z.ZodObject> {
  /** What has happened. */
  description: string;
  /** Shape of `data` in the body. */
  data: Data;
  /** What `data` holds for an event: bounded, and nothing that is meant for the platform alone. */
  dataOf(event: PlatformEvent<Type>): z.input<Data>;
  example: z.input<Data>;
  /** Only webhooks that name it are told, not those of '*'. */
  byNameOnly?: boolean;
  /** Only webhooks of admins are told. */
  adminOnly?: boolean;
}

/** A type of event whose schema, example and data agree. */
export function deliverable<Type extends EventType, Data extends z.ZodObject>(
  _type: Type,
  of: Deliverable<Type, Data>,
): Deliverable<Type, Data> {
  return of;
}

/** An id in `data`. */
export const id = z.string();
/** A time in `data`. */
export const time = z.iso.datetime();
/** Names of fields that an event changed. */
export const fieldNames = z.array(z.string());

/** The names of the fields that changed: what they held can be long, and secret. */
export function namesOf(changes: readonly Change[]): string[] {
  return changes.map(({ field }) => field);
}

/** Longest text of an error that is told, in UTF-16 code units. */
const maxError = 2_000;

/** The beginning of a text that may be long. What was two halves of a character is not left as one. */
export function bounded(text: string): string {
  return text.slice(0, maxError).toWellFormed();
}

/** Ids of examples: the same thing has the same id everywhere. */
export const ids = {
  task_id: '01985b6a-4c80-7d5e-8b1f-3c6a9e2d4f70',
  project_id: '01985b6a-4c80-7a1c-9f27-6e5d8b0c3a14',
  execution_id: '01985b6a-4c80-7c3b-8f21-4b6d8e0a1c57',
  webhook_id: '01985b6a-4c80-7b2d-8a3e-5f6c7d8e9a01',
  user_id: '01985b6a-4c80-7f4e-9b5c-1d2e3f4a5b6c',
};
