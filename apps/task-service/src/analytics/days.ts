/** A calendar day somewhere. */
export interface Day {
  /** As YYYY-MM-DD. */
  date: string;
  /** Its first instant. */
  start: Date;
}

/** Clocks everywhere are whole quarters of an hour apart, so days begin at one. In milliseconds. */
export const quarterMs = 15 * 60_000;
/** Clocks are at most so far from UTC, in milliseconds. */
const farthestMs = 16 * 3_600_000;
const dayMs = 24 * 3_600_000;

/**
 * The last days in a time zone, oldest first, the last one being the day of an instant. They last 23, 24 or 25 hours where
 * clocks are changed; one that a place left out when it moved across the date line lasts no time at all.
 * @param timeZone IANA name
 * @throws RangeError for an unknown time zone
 */
export function lastDays(count: number, timeZone: string, now: Date): Day[] {
  const dateOf = dateIn(timeZone);
  const today = Date.parse(dateOf(now.getTime()));
  return Array.from({ length: count }, (_, place) => {
    const midnight = today - (count - 1 - place) * dayMs;
    const date = new Date(midnight).toISOString().slice(0, 10);
    return { date, start: startOf(date, midnight, dateOf) };
  });
}

/** Place among the days of each instant; -1 for one before them. Days are as lastDays gives them. */
export function placeAmong(days: Day[]): (instant: Date) => number {
  const starts = days.map(({ start }) => start.getTime());
  return (instant) => {
    let [low, high] = [0, starts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= instant.getTime()) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  };
}

function dateIn(timeZone: string): (instant: number) => string {
  const format = new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' });
  return (instant) => {
    const parts = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, value]));
    return `${parts.year}-${parts.month}-${parts.day}`;
  };
}

/** The first instant that has the date or a later one: by halving, since dates never go back. */
function startOf(date: string, midnightUtc: number, dateOf: (instant: number) => string): Date {
  let [before, from] = [midnightUtc - farthestMs, midnightUtc + farthestMs];
  while (from - before > quarterMs) {
    const middle = before + Math.floor((from - before) / quarterMs / 2) * quarterMs;
    if (dateOf(middle) >= date) from = middle;
    else before = middle;
  }
  return new Date(from);
}
