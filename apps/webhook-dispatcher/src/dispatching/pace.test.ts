import { describe, expect, test } from '@jest/globals';
import { Pace } from './pace.ts';

describe('the pace of requests to an endpoint', () => {
  test('lets the requests of a second through at once, then one after another', () => {
    const pace = new Pace(10);
    const taken = Array.from({ length: 12 }, () => pace.take('a', 1_000));
    expect(taken.slice(0, 10)).toEqual(Array(10).fill(0));
    expect(taken[10]).toBeCloseTo(100);
    expect(pace.take('a', 1_050)).toBeCloseTo(50);
    expect(pace.take('a', 1_100)).toBe(0);
    expect(pace.take('a', 1_100)).toBeCloseTo(100);
  });

  test('is one per endpoint', () => {
    const pace = new Pace(1);
    expect(pace.take('a', 0)).toBe(0);
    expect(pace.take('a', 0)).toBeGreaterThan(0);
    expect(pace.take('b', 0)).toBe(0);
  });

  test('is not made faster by forgetting endpoints', () => {
    const pace = new Pace(2);
    for (let n = 0; n < 2; n++) pace.take('a', 0);
    pace.prune(999);
    expect(pace.take('a', 999)).toBeLessThanOrEqual(0);
    for (let n = 0; n < 2; n++) pace.take('b', 0);
    pace.prune(400);
    expect(pace.take('b', 400)).toBeGreaterThan(0);
  });
});
