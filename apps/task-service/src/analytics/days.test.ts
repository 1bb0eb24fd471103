import { describe, expect, test } from '@jest/globals';
import { lastDays, placeAmong } from './days.ts';

const hour = 3_600_000;

/** Lengths of the days but the last, in hours. */
function lengths(count: number, timeZone: string, now: string): number[] {
  const starts = lastDays(count, timeZone, new Date(now)).map(({ start }) => start.getTime());
  return starts.slice(1).map((start, place) => (start - (starts[place] ?? 0)) / hour);
}

describe('the last days', () => {
  test.each([7, 30, 90, 365])('are %i when so many are asked for, without gaps, today last', (count) => {
    for (const zone of ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Pacific/Kiritimati']) {
      const now = new Date('2026-06-15T12:00:00Z');
      const days = lastDays(count, zone, now);
      const today = zone === 'Pacific/Kiritimati' ? '2026-06-16' : '2026-06-15';
      expect(days.at(-1)?.date).toBe(today);
      expect(new Set(days.map(({ date }) => date)).size).toBe(count);
      const expected = days.map((_, place) => Date.parse(today) - (count - 1 - place) * 24 * hour);
      expect(days.map(({ date }) => Date.parse(date))).toEqual(expected);
    }
  });

  test.each([
    // Clocks go forward at 02:00: the 29th of March has 23 hours.
    ['Europe/Berlin', '2026-03-30T10:00:00Z', '2026-03-28T23:00:00.000Z', [24, 23]],
    // Clocks go back at 03:00: the 25th of October has 25 hours.
    ['Europe/Berlin', '2026-10-26T10:00:00Z', '2026-10-24T22:00:00.000Z', [24, 25]],
    ['America/New_York', '2026-03-09T15:00:00Z', '2026-03-08T05:00:00.000Z', [24, 23]],
    ['America/New_York', '2026-11-02T15:00:00Z', '2026-11-01T04:00:00.000Z', [24, 25]],
    ['Asia/Kolkata', '2026-03-30T10:00:00Z', '2026-03-28T18:30:00.000Z', [24, 24]],
    ['Pacific/Kiritimati', '2026-03-30T10:00:00Z', '2026-03-29T10:00:00.000Z', [24, 24]],
    // Clocks go forward at midnight, so that the 26th of April begins at 01:00.
    ['Africa/Cairo', '2024-04-27T10:00:00Z', '2024-04-25T22:00:00.000Z', [24, 23]],
  ])('in %s until %s begin when the clocks there say so', (zone, now, yesterday, hours) => {
    expect(lastDays(2, zone, new Date(now))[0]?.start.toISOString()).toBe(yesterday);
    expect(lengths(3, zone, now)).toEqual(hours);
  });

  test('take in each instant at most once, at the right place', () => {
    const days = lastDays(3, 'Europe/Berlin', new Date('2026-10-26T10:00:00Z'));
    const placeOf = placeAmong(days);
    const places = [
      '2026-10-23T21:59:59.999Z',
      '2026-10-23T22:00:00Z',
      '2026-10-25T01:30:00Z',
      '2026-10-25T22:59:59.999Z',
      '2026-10-25T23:00:00Z',
      '2026-10-26T10:00:00Z',
    ].map((instant) => placeOf(new Date(instant)));
    expect(places).toEqual([-1, 0, 1, 1, 2, 2]);
  });

  test('of an unknown time zone are refused', () => {
    expect(() => lastDays(7, 'Mars/Olympus', new Date())).toThrow(RangeError);
  });
});
