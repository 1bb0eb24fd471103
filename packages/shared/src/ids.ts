import { v5, v7, validate } from 'uuid';

/** A new id: UUIDv7, so ids sort by the time they were made. */
export function newId(): string {
  return v7();
}

/** Whether a value is a UUID of any version. */
export function isId(value: unknown): value is string {
  return typeof value === 'string' && validate(value);
}

/** The id of what is made of something: the same for the same namespace (a UUID) and name, so that making it twice is harmless. */
export function derivedId(namespace: string, name: string): string {
  return v5(name, namespace);
}
