import { describe, expect, test } from '@jest/globals';
import { Pace } from './pace.ts';

describe('a pace', () => {
  const started = (burst: number) => {
    const clock = { now: 1_000 };
    const pace = new Pace({ everyMs: 50, burst }, () => clock.now);
    const waits = (count: number, items = 5) =>
      Array.from({ length: count }, () => {
        const { waitMs } = pace;
        clock.now += waitMs;
        pace.begin(items, waitMs);
        return waitMs;
      });
    return { clock, pace, waits };
  };

  test('lets nothing wait that comes after a pause, and spaces out what keeps coming', () => {
    const { clock, waits } = started(1);
    expect(waits(3)).toEqual([0, 50, 50]);
    clock.now += 30;
    expect(waits(2)).toEqual([20, 50]);
    clock.now += 3_600_000;
    expect(waits(2)).toEqual([0, 50]);
  });

  test('lets so many begin at once, and one more for each time that goes by', () => {
    const { clock, waits } = started(3);
    expect(waits(5)).toEqual([0, 0, 0, 50, 50]);
    clock.now += 100;
    expect(waits(4)).toEqual([0, 0, 50, 50]);
    clock.now += 3_600_000;
    expect(waits(4)).toEqual([0, 0, 0, 50]);
  });

  test('counts what begins before its time, which leaves no longer a wait than usual', () => {
    const { pace } = started(3);
    for (let n = 0; n < 3; n++) pace.begin(5, 0);
    expect(pace.waitMs).toBe(50);
    for (let n = 0; n < 100; n++) pace.begin(5, 0);
    expect(pace.waitMs).toBe(50);
  });

  test('spares six after one that has waited in vain, unless bursts are shorter', () => {
    const free = (count: number) => Array.from({ length: count }, () => 0);
    expect(started(8).waits(17, 1)).toEqual([...free(8), 50, ...free(6), 50, 0]);
    expect(started(2).waits(6, 1)).toEqual([0, 0, 50, 0, 50, 0]);
  });

  test('takes no short wait for one in vain', () => {
    const { clock, waits } = started(1);
    waits(1);
    for (let n = 0; n < 3; n++) {
      clock.now += 30;
      expect(waits(1, 1)).toEqual([20]);
    }
  });
});
