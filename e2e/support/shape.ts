/**
 * What an answer lacks of an example: fields that are not there, and values of another kind. More fields are welcome. Where
 * the example has null, or the answer has, nothing is known of the other.
 */
export function lacksOf(actual: unknown, example: unknown, path = 'data'): string[] {
  if (example === null || actual === null) return actual === undefined ? [`${path} is missing`] : [];
  if (Array.isArray(example)) {
    if (!Array.isArray(actual)) return [`${path} is no list`];
    if (example.length === 0) return [];
    if (actual.length === 0) return [`${path} is empty`];
    return lacksOf(actual[0], example[0], `${path}[0]`);
  }
  if (typeof example === 'object') {
    if (typeof actual !== 'object') return [`${path} is no object`];
    const found = actual as Record<string, unknown>;
    return Object.entries(example).flatMap(([key, value]) => lacksOf(found[key], value, `${path}.${key}`));
  }
  if (actual === undefined) return [`${path} is missing`];
  if (typeof actual !== typeof example) return [`${path} is ${typeof actual}, not ${typeof example}`];
  const isTime = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;
  if (typeof example === 'string' && isTime.test(example) && !isTime.test(String(actual)))
    return [`${path} is no time`];
  const isDuration = /^\d+:\d\d:\d\d$/;
  if (typeof example === 'string' && isDuration.test(example) && !isDuration.test(String(actual))) {
    return [`${path} is no duration`];
  }
  return [];
}
