import { v7, validate } from 'uuid';

/** A new id: UUIDv7, so ids sort by the time they were made. */
export function newId(): string {
  return v7();
}

/** Whether a value is a UUID of any version. */
export function isId(value: unknown): value is string {
  return typeof value === 'string' && validate(value);
}
