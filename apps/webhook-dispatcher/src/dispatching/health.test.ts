import { describe, expect, test } from '@jest/globals';
import { defaultLimits } from '../sending/limits.ts';
import type { Outcome } from '../sending/outcome.ts';
import { type Health, healthAfter, reasonToDisable } from './health.ts';

const now = new Date('2026-01-10T00:00:00Z');
const ago = (ms: number) => new Date(now.getTime() - ms);
const hour = 3_600_000;
const outcome = (status_code: number | null, retryAfterMs: number | null = null): Outcome => ({
  ...{ duration_ms: 1, fault: status_code === null ? 'timeout' : null, error: null, response: '' },
  status_code,
  retryAfterMs,
});
const well: Health = { failures: 0, failing_since: null, rests_until: null };
const failing = (failures: number, sinceMs: number): Health => ({
  failures,
  failing_since: ago(sinceMs),
  rests_until: null,
});
const after = (health: Health, status: number | null, retryAfterMs: number | null = null, random = 0) =>
  healthAfter(health, outcome(status, retryAfterMs), defaultLimits, now, random);
const restMs = ({ rests_until }: Health) => (rests_until ? rests_until.getTime() - now.getTime() : 0);

describe('the health of an endpoint', () => {
  test('is good after a success, whatever was before', () => {
    expect(after({ failures: 99, failing_since: ago(hour), rests_until: ago(-hour) }, 200)).toEqual(well);
  });

  test.each([null, 301, 401, 403, 404, 408, 500, 503])(
    'gets worse by %p, and the fifth time in a row it rests',
    (status) => {
      let health = well;
      for (let n = 1; n <= 4; n++) {
        health = after(health, status);
        expect(health).toEqual({ failures: n, failing_since: now, rests_until: null });
      }
      expect(restMs(after(health, status))).toBe(30_000);
    },
  );

  test('does not rest for answers about what was sent, but is failing all the same', () => {
    for (const status of [400, 409, 413, 415, 422]) {
      expect(after(failing(50, hour), status)).toEqual({ failures: 51, failing_since: ago(hour), rests_until: null });
    }
  });

  test('rests at once, for a while, when it has too much to do', () => {
    for (const status of [429, 502, 504]) expect(restMs(after(well, status))).toBe(5_000);
  });

  test('rests for as long as the receiver asks for, up to an hour', () => {
    expect(restMs(after(well, 503, 90_000))).toBe(90_000);
    expect(restMs(after(well, 429, 1_000))).toBe(1_000);
    expect(restMs(after(well, 429, 48 * hour))).toBe(hour);
    expect(restMs(after(well, 422, 90_000))).toBe(0);
  });

  test('rests the longer the longer it has been failing, up to ten minutes', () => {
    const rests = [60_000, 10 * 60_000, hour, 24 * hour].map((since) => restMs(after(failing(9, since), null)));
    expect(rests).toEqual([30_000, 60_000, 360_000, 600_000]);
  });

  test('rests up to a fifth longer by chance, so that endpoints of one receiver do not come back together', () => {
    expect(restMs(after(failing(9, 0), null, null, 1))).toBe(36_000);
  });

  test('keeps the longer rest when requests that were under way together fail', () => {
    const resting = { ...failing(5, 0), rests_until: ago(-hour) };
    expect(restMs(after(resting, null))).toBe(hour);
  });
});

describe('an endpoint is disabled', () => {
  const reason = (health: Health, status: number | null = 500) =>
    reasonToDisable(health, outcome(status), defaultLimits, now);
  const days = 24 * hour;

  test('when it is gone', () => {
    expect(reason(well, 410)).toBe('gone');
  });

  test('when nothing has succeeded for five days, in more than a few attempts', () => {
    expect(reason(failing(10, 5 * days))).toBe('failing');
    expect(reason(failing(9, 50 * days))).toBeUndefined();
    expect(reason(failing(1_000, 5 * days - 1))).toBeUndefined();
  });

  test('not when it is well', () => {
    expect(reason(well, 200)).toBeUndefined();
  });
});
