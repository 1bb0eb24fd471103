import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { AgentHold } from './agent-hold.ts';
import { holdUntil, readLimitEvent } from './usage-limit.ts';

const hour = 3_600_000;

describe('a reached limit', () => {
  const now = Date.now();
  const waits = (resetsAt: number | undefined) => holdUntil({ resetsAt }, now).getTime() - now;

  test('holds agent work until it is reset, for six hours at most', () => {
    expect(waits(now + hour)).toBe(hour);
    expect(waits(now + 7 * 24 * hour)).toBe(6 * hour);
  });

  test('holds it for a while when nobody knows until when, or the time is over', () => {
    expect(waits(undefined)).toBe(5 * 60_000);
    expect(waits(now - hour)).toBe(60_000);
    expect(waits(now)).toBe(60_000);
  });

  test.each<[unknown, number | undefined]>([
    [1_771_390_800, 1_771_390_800_000],
    [1_771_390_800_123, 1_771_390_800_123],
    ['2026-01-01', undefined],
    [0, undefined],
    [-5, undefined],
    [null, undefined],
    [{}, undefined],
  ])('is reset at %j', (resetsAt, expected) => {
    expect(readLimitEvent({ rate_limit_info: { status: 'rejected', resetsAt } }).resetsAt).toBe(expected);
  });
});

describe('the hold of a runner', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  test('ends by itself, is extended by later ends only, and is bounded', () => {
    const hold = new AgentHold();
    expect(hold.until).toBeUndefined();
    const soon = new Date(Date.now() + 40);
    hold.extend(soon);
    hold.extend(new Date(Date.now() - hour));
    expect(hold.until).toEqual(soon);
    jest.setSystemTime(soon.getTime());
    expect(hold.until).toBeUndefined();
    hold.extend(new Date(Date.now() + 100 * hour));
    expect(hold.until?.getTime()).toBeLessThanOrEqual(Date.now() + 6 * hour);
  });
});
