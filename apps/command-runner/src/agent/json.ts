/** A JSON object of which nothing is known. */
export type JsonObject = Record<string, unknown>;

/** Whether a value is an object, and not a list. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object that a text says; undefined when it says none. */
export function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The objects of a list; none when it is no list. */
export function objectsIn(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** A text of at most so many UTF-16 units; null when the value is none. */
export function textOr(value: unknown, most: number): string | null {
  return typeof value === 'string' ? value.slice(0, most) : null;
}

/** A finite number that is not negative; null when the value is none. */
export function amountOr(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
}
