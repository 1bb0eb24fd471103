import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { inParallel } from './in-parallel.ts';

describe('work in parallel', () => {
  test('keeps the order of the items and never does more at once than allowed', async () => {
    let atOnce = 0;
    let most = 0;
    const results = await inParallel([30, 1, 20, 2, 10], 2, async (ms) => {
      most = Math.max(most, ++atOnce);
      await setTimeout(ms);
      atOnce--;
      return ms * 2;
    });
    expect(results).toEqual([60, 2, 40, 4, 20]);
    expect(most).toBe(2);
  });

  test('begins nothing more after a failure', async () => {
    const begun: number[] = [];
    const failing = inParallel([1, 2, 3, 4], 1, async (item) => {
      begun.push(item);
      if (item === 2) throw new Error('two');
    });
    await expect(failing).rejects.toThrow('two');
    expect(begun).toEqual([1, 2]);
  });

  test('of nothing is nothing', async () => expect(await inParallel([], 3, async () => 1)).toEqual([]));
});
