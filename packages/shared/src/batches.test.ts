import { describe, expect, jest, test } from '@jest/globals';
import { Batches, type BatchRules, inGroups } from './batches.ts';

describe('batches', () => {
  const recorded = (most = 10, rules: Partial<BatchRules> = {}) => {
    const batches: number[][] = [];
    const doubled = new Batches<number, number>(
      async (items) => {
        batches.push(items);
        await new Promise(setImmediate);
        return items.map((item) => (item < 0 ? new Error(`wrong: ${item}`) : item * 2));
      },
      { most, ...rules },
    );
    return { batches, doubled };
  };

  test('do together what is asked for at once, and answer each one', async () => {
    const { batches, doubled } = recorded();
    expect(await Promise.all([1, 2, 3].map((item) => doubled.add(item)))).toEqual([2, 4, 6]);
    expect(batches).toEqual([[1, 2, 3]]);
  });

  test('gather what is asked for while one is under way, and are no larger than they may be', async () => {
    const { batches, doubled } = recorded(3);
    const first = doubled.add(1);
    await new Promise(setImmediate);
    expect(batches).toEqual([[1]]);
    const more = [2, 3, 4, 5].map((item) => doubled.add(item));
    expect(await Promise.all([first, ...more])).toEqual([2, 4, 6, 8, 10]);
    expect(batches).toEqual([[1], [2, 3, 4], [5]]);
    expect(await doubled.add(6)).toBe(12);
  });

  test('are under way so many at once as may be, and the next one gathers', async () => {
    const { promise: open, resolve } = Promise.withResolvers<void>();
    const batches: number[][] = [];
    const run = async (items: number[]) => {
      batches.push(items);
      await open;
      return items;
    };
    await using wide = new Batches<number, number>(run, { most: 2, width: 2 });
    const all = [1, 2, 3, 4, 5].map((item) => wide.add(item));
    while (batches.length < 2) await new Promise(setImmediate);
    await new Promise(setImmediate);
    all.push(wide.add(6), wide.add(7));
    await new Promise(setImmediate);
    expect(batches).toEqual([
      [1, 2],
      [3, 4],
    ]);
    resolve();
    expect(await Promise.all(all)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(batches.slice(2).flat()).toEqual([5, 6, 7]);
    expect(await wide.add(8)).toBe(8);
  });

  test('that gather do not wait for more than they may hold', async () => {
    const { batches, doubled } = recorded(2, { gatherMs: 3_600_000 });
    expect(await Promise.all([1, 2, 3, 4].map((item) => doubled.add(item)))).toEqual([2, 4, 6, 8]);
    expect(batches).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  test('with a pace begin at once until there have been several, then wait for what else comes', async () => {
    const { batches, doubled } = recorded(3, { pace: { everyMs: 3_600_000, burst: 2 } });
    for (const item of [1, 2]) expect(await doubled.add(item)).toBe(item * 2);
    const third = doubled.add(3);
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(batches).toEqual([[1], [2]]);
    expect(await Promise.all([third, doubled.add(4), doubled.add(5)])).toEqual([6, 8, 10]);
    expect(batches).toEqual([[1], [2], [3, 4, 5]]);
    const last = doubled.add(6);
    await doubled[Symbol.asyncDispose]();
    expect(await last).toBe(12);
  });

  test('with a pace go on without a wait after one that was in vain', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    try {
      const { batches, doubled } = recorded(3, { pace: { everyMs: 50, burst: 2 } });
      for (const item of [1, 2]) expect(await doubled.add(item)).toBe(item * 2);
      const third = doubled.add(3);
      jest.advanceTimersByTime(49);
      await new Promise(setImmediate);
      expect(batches).toEqual([[1], [2]]);
      jest.advanceTimersByTime(1);
      expect(await third).toBe(6);
      expect(await doubled.add(4)).toBe(8);
    } finally {
      jest.useRealTimers();
    }
  });

  test('with a pace wait for no more than is enough', async () => {
    const pace = { everyMs: 3_600_000, burst: 1 };
    const { batches, doubled } = recorded(10, { pace, isEnough: (count) => count >= 2 });
    await doubled.add(1);
    await Promise.all([doubled.add(2), doubled.add(3)]);
    expect(batches).toEqual([[1], [2, 3]]);
    const late = doubled.add(4);
    await new Promise(setImmediate);
    await Promise.all([late, doubled.add(5)]);
    expect(batches.at(-1)).toEqual([4, 5]);
  });

  test('fail for one item alone, or for all when they fail as a whole, and go on', async () => {
    const { doubled } = recorded();
    const some = await Promise.allSettled([1, -1, 2].map((item) => doubled.add(item)));
    expect(some.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    let broken = true;
    const whole = new Batches<number, number>(
      async (items) => {
        if (broken) throw new Error('away');
        return items;
      },
      { most: 10 },
    );
    const all = await Promise.allSettled([whole.add(1), whole.add(2)]);
    expect(all.map((each) => each.status === 'rejected' && each.reason.message)).toEqual(['away', 'away']);
    broken = false;
    expect(await whole.add(3)).toBe(3);
  });

  test('can be done in groups, of which each fails alone', async () => {
    const groups: string[][] = [];
    const answers = await inGroups(
      ['a1', 'b1', 'a2', 'c1', 'b2'],
      ([key = '']) => key,
      async (group) => {
        groups.push(group);
        if (group[0] === 'b1') throw new Error('no b');
        return group.map((item) => item.toUpperCase());
      },
    );
    expect(groups).toEqual([['a1', 'a2'], ['b1', 'b2'], ['c1']]);
    expect(answers).toEqual(['A1', new Error('no b'), 'A2', 'C1', new Error('no b')]);
  });

  test('that gather for long do not wait when they are to end', async () => {
    const { batches, doubled } = recorded(10, { gatherMs: 3_600_000 });
    const answers = Promise.all([doubled.add(1), doubled.add(2)]);
    await doubled[Symbol.asyncDispose]();
    expect(await answers).toEqual([2, 4]);
    expect(batches).toEqual([[1, 2]]);
    expect(await doubled.add(3)).toBe(6);
  });
});
