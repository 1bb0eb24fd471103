/** Milliseconds as HH:MM:SS, rounded to the second; hours may have more than two digits. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const pad = (value: number) => String(value).padStart(2, '0');
  return `${pad(Math.floor(seconds / 3600))}:${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}`;
}

/** HH:MM:SS as milliseconds. @throws RangeError when the text is not of that form */
export function parseDuration(text: string): number {
  const match = /^(\d{1,6}):([0-5]\d):([0-5]\d)$/.exec(text);
  if (!match) throw new RangeError(`not a duration of the form HH:MM:SS: ${text}`);
  return ((Number(match[1]) * 60 + Number(match[2])) * 60 + Number(match[3])) * 1000;
}
