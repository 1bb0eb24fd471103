/** What is kept of the line that names a request, in UTF-16 units. */
export const maxRequestLength = 500;
/** What the details of one activity may take, in bytes of their JSON. */
export const maxDetailsBytes = 8_192;

/**
 * Details that fit into an entry: too large ones lose the members that do not fit, the earlier ones go first, and say so by
 * `truncated: true`. The entry itself is worth keeping.
 */
export function boundedDetails(details: Record<string, unknown>): Record<string, unknown> {
  if (bytesOf(details) <= maxDetailsBytes) return details;
  const kept: [string, unknown][] = [['truncated', true]];
  let bytes = bytesOf(Object.fromEntries(kept));
  for (const [name, value] of Object.entries(details)) {
    const added = bytesOf({ [name]: value });
    if (bytes + added > maxDetailsBytes) continue;
    bytes += added;
    kept.push([name, value]);
  }
  return Object.fromEntries(kept);
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
