import { describe, expect, test } from '@jest/globals';
import { defaultLimits } from './limits.ts';
import type { Outcome } from './outcome.ts';
import { parseRetryAfter, verdictOn } from './retry.ts';

const outcome = (status_code: number | null, more: Partial<Outcome> = {}): Outcome => ({
  ...{ duration_ms: 1, fault: null, error: null, response: '', retryAfterMs: null },
  status_code,
  ...more,
});
const verdict = (status: number | null, attempt = 1, random = 0.5, more = {}) =>
  verdictOn(outcome(status, more), attempt, defaultLimits, random);

describe('what becomes of a delivery', () => {
  test.each([200, 201, 204, 299])('answered %d it has succeeded', (status) => {
    expect(verdict(status)).toEqual({ status: 'succeeded' });
  });

  test.each([null, 199, 300, 301, 307, 400, 401, 404, 429, 500, 502, 503, 504])(
    'answered %p it is tried again',
    (status) => {
      expect(verdict(status)).toEqual({ status: 'pending', delayMs: 5_000 });
    },
  );

  test('answered 410 it has failed', () => {
    expect(verdict(410)).toEqual({ status: 'failed' });
  });

  test('is tried eight times, after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h and 10 h', () => {
    const pauses = [1, 2, 3, 4, 5, 6, 7, 8].map((attempt) => {
      const { status, ...rest } = verdict(500, attempt);
      return 'delayMs' in rest ? rest.delayMs / 1000 : status;
    });
    expect(pauses).toEqual([5, 300, 1800, 7200, 18_000, 36_000, 36_000, 'failed']);
  });

  test('is tried again up to a fifth earlier or later, by chance', () => {
    expect(verdict(500, 1, 0)).toMatchObject({ delayMs: 4_000 });
    expect(verdict(500, 1, 1)).toMatchObject({ delayMs: 6_000 });
  });

  test('waits as long as the receiver asks for, if that is longer, but no longer than 10 hours', () => {
    expect(verdict(503, 1, 0.5, { retryAfterMs: 60_000 })).toMatchObject({ delayMs: 60_000 });
    expect(verdict(503, 2, 0.5, { retryAfterMs: 60_000 })).toMatchObject({ delayMs: 300_000 });
    expect(verdict(429, 1, 0.5, { retryAfterMs: 1e12 })).toMatchObject({ delayMs: 36_000_000 });
  });
});

describe('Retry-After', () => {
  const now = new Date('2026-01-01T00:00:00Z');

  test.each([
    ['120', 120_000],
    [' 0 ', 0],
    ['Thu, 01 Jan 2026 00:01:00 GMT', 60_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    [undefined, null],
    ['', null],
    ['soon', null],
    ['-5', null],
    ['1.5', null],
    ['2026-01-01', null],
    ['9'.repeat(400), null],
    [['7', '9'], 7_000],
  ])('%p is %p', (header, expected) => {
    expect(parseRetryAfter(header, now)).toBe(expected);
  });
});
