import { shapes } from './gen/operations.ts';
import type { Shape } from './operation.ts';

/** snake_case to camelCase. */
export function toCamel(name: string): string {
  return name.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}

/** camelCase to snake_case. */
export function toSnake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** An answer with the names of this SDK. Objects that declare no fields, such as metadata, come as they are. */
export function camelCased(value: unknown, shape: Shape): unknown {
  return renamed(value, shape, toCamel, (name) => name);
}

/** A request with the names of the API. Objects that declare no fields, such as metadata, go as they are. */
export function snakeCased(value: unknown, shape: Shape): unknown {
  return renamed(value, shape, toSnake, toSnake);
}

function renamed(
  value: unknown,
  shape: Shape,
  rename: (name: string) => string,
  declared: (name: string) => string,
): unknown {
  if (Array.isArray(value)) return value.map((entry) => renamed(entry, shape, rename, declared));
  if (typeof value !== 'object' || value === null) return value;
  const fields = typeof shape === 'string' ? (shapes[shape] ?? {}) : shape;
  const entries = Object.entries(value).map(([name, inner]) => {
    const field = declared(name);
    const own = typeof fields === 'object' && Object.hasOwn(fields, field) ? fields[field] : undefined;
    return [rename(name), own === undefined ? inner : renamed(inner, own, rename, declared)];
  });
  return Object.fromEntries(entries);
}
