const units = ['', 'K', 'M', 'G', 'T'];

/**
 * A size such as "10MB" or "1.5GB" as bytes, in steps of 1024, rounded down. The case of the unit does not matter.
 * @throws RangeError when the text is not of that form
 */
export function parseByteSize(text: string): number {
  const match = /^(\d{1,9}(?:\.\d{1,9})?)([KMGT]?)B$/i.exec(text);
  if (!match) throw new RangeError(`not a size such as 10MB: ${text}`);
  return Math.floor(Number(match[1]) * 1024 ** units.indexOf((match[2] ?? '').toUpperCase()));
}
