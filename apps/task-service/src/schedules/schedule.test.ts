import { describe, expect, test } from '@jest/globals';
import { isSame, newSchedule, nextRun, scheduleOf, termsOf } from './schedule.ts';

const berlin = 'Europe/Berlin';

/** The next times after a moment. */
function timesOf(cron: string, timezone: string, from: string, count: number): string[] {
  const times: string[] = [];
  let after = new Date(from);
  while (times.length < count) {
    const next = nextRun({ cron, timezone }, after);
    if (!next) break;
    times.push(next.toISOString().replace(':00.000Z', 'Z'));
    after = next;
  }
  return times;
}

describe('a schedule', () => {
  test('is of UTC and of the normal queue unless it says otherwise, and starts with the next time', () => {
    const now = new Date('2026-03-01T12:00:00Z');
    expect(newSchedule({ cron: ' 0  3 * * * ' }, 'user', now)).toEqual({
      cron: '0 3 * * *',
      timezone: 'UTC',
      priority: 'normal',
      set_by: 'user',
      next_run_at: new Date('2026-03-02T03:00:00Z'),
      missed_at: null,
      missed_reason: null,
    });
    const given = { cron: '30 0 3 * * MON', timezone: 'Asia/Tokyo', priority: 'high' } as const;
    expect(newSchedule(given, 'user', now)).toMatchObject({
      priority: 'high',
      next_run_at: new Date('2026-03-01T18:00:30Z'),
    });
  });

  test('never gives a time twice', () => {
    const at = new Date('2026-03-01T03:00:00Z');
    expect(nextRun({ cron: '0 3 * * *', timezone: 'UTC' }, at)).toEqual(new Date('2026-03-02T03:00:00Z'));
  });

  test.each([
    ['60 * * * *', /minute: 60/],
    ['* * * *', /five or six fields/],
    ['* * * * * * *', /five or six fields/],
    ['@daily', /five or six fields/],
    ['2030-01-01T00:00:00', /five or six fields/],
    ['a b c d e', /illegal characters/],
    ['0 0 30 2 *', /never comes/],
    ['0 0 31 4,6 *', /never comes/],
    ['* * * * * *', /at least 10 apart/],
    ['*/7 * * * * *', /at least 10 apart/],
    ['0,20,29 * * * * *', /at least 10 apart/],
    ['5,58 30 3 * * *', /at least 10 apart/],
  ])('of %j is refused', (cron, issue) => {
    const details = { field: 'schedule.cron', issue: expect.stringMatching(issue) };
    expect(() => newSchedule({ cron }, 'user')).toThrow(expect.objectContaining({ code: 'VALIDATION_ERROR', details }));
  });

  test.each([
    '*/10 * * * * *',
    '0,30 * * * * *',
    '5 * * * * *',
    '* * * * *',
    '0 0 29 2 *',
    '0 0 L * *',
    '0 9 * * MON#1',
  ])('of %j is taken', (cron) => {
    expect(newSchedule({ cron }, 'user').next_run_at?.getTime()).toBeGreaterThan(Date.now());
  });

  test('of a time zone that there is not is refused', () => {
    const details = { field: 'schedule.timezone', issue: expect.any(String) };
    const given = { cron: '0 3 * * *', timezone: 'Mars/Olympus' };
    expect(() => newSchedule(given, 'user')).toThrow(expect.objectContaining({ code: 'VALIDATION_ERROR', details }));
  });

  describe('when the clock is put forward, from 2:00 to 3:00 on 2026-03-29', () => {
    test('keeps its time of the day', () => {
      const times = ['2026-03-28T08:00Z', '2026-03-29T07:00Z', '2026-03-30T07:00Z'];
      expect(timesOf('0 9 * * *', berlin, '2026-03-28T00:00:00Z', 3)).toEqual(times);
    });

    test('comes right after the gap when its time is left out, also one of several', () => {
      const times = ['2026-03-28T01:30Z', '2026-03-29T01:00Z', '2026-03-30T00:30Z'];
      expect(timesOf('30 2 * * *', berlin, '2026-03-28T00:00:00Z', 3)).toEqual(times);
      const both = ['2026-03-29T01:00Z', '2026-03-29T12:30Z', '2026-03-30T00:30Z'];
      expect(timesOf('30 2,14 * * *', berlin, '2026-03-28T20:00:00Z', 3)).toEqual(both);
    });

    test('goes on every so many minutes without a pause', () => {
      const times = ['2026-03-29T00:30Z', '2026-03-29T01:00Z', '2026-03-29T01:30Z'];
      expect(timesOf('*/30 * * * *', berlin, '2026-03-29T00:00:00Z', 3)).toEqual(times);
    });
  });

  describe('when the clock is put back, from 3:00 to 2:00 on 2026-10-25', () => {
    test('comes once when its time is shown twice', () => {
      const times = ['2026-10-24T00:30Z', '2026-10-25T00:30Z', '2026-10-26T01:30Z'];
      expect(timesOf('30 2 * * *', berlin, '2026-10-23T12:00:00Z', 3)).toEqual(times);
    });

    test('goes on every so many minutes without a pause', () => {
      const times = ['2026-10-25T00:00Z', '2026-10-25T00:30Z', '2026-10-25T01:00Z', '2026-10-25T01:30Z'];
      expect(timesOf('*/30 * * * *', berlin, '2026-10-24T23:45:00Z', 4)).toEqual(times);
    });
  });

  test('is the same as another one that asks for the same, whatever has become of it', () => {
    const schedule = newSchedule({ cron: '0 3 * * *' }, 'user', new Date(0));
    const later = { ...scheduleOf(schedule), missed_at: new Date(), missed_reason: 'SCHEDULE_LATE' };
    expect(isSame(schedule, later)).toBe(true);
    expect(isSame(schedule, { ...schedule, set_by: 'other' })).toBe(false);
    expect(isSame(schedule, null)).toBe(false);
    expect(isSame(undefined, null)).toBe(true);
    expect(termsOf(schedule)).toEqual({ cron: '0 3 * * *', timezone: 'UTC', priority: 'normal', set_by: 'user' });
  });
});
