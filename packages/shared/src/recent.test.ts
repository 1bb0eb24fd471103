import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Recent } from './recent.ts';

describe('recent answers', () => {
  let recent: Recent<number>;
  let made: number;
  const make = async () => ++made;
  const slowly = (ms: number) => async () => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return ++made;
  };

  beforeEach(() => {
    jest.useFakeTimers();
    recent = new Recent({ max: 2, freshMs: 5_000, usableMs: 10_000 });
    made = 0;
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  test('are made once for all who ask while they are fresh', async () => {
    const both = Promise.all([recent.get('a', slowly(10)), recent.get('a', make)]);
    await jest.advanceTimersByTimeAsync(10);
    expect(await both).toEqual([1, 1]);
    await jest.advanceTimersByTimeAsync(4_900);
    expect(await recent.get('a', make)).toBe(1);
    expect(await recent.get('b', make)).toBe(2);
  });

  test('are given a while longer while a new one is made, once', async () => {
    await recent.get('a', make);
    await jest.advanceTimersByTimeAsync(5_100);
    expect(await Promise.all([recent.get('a', slowly(10)), recent.get('a', make)])).toEqual([1, 1]);
    await jest.advanceTimersByTimeAsync(20);
    expect(await recent.get('a', make)).toBe(2);
    expect(made).toBe(2);
  });

  test('are not given when they are too old', async () => {
    await recent.get('a', make);
    await jest.advanceTimersByTimeAsync(10_100);
    expect(recent.has('a')).toBe(false);
    expect(await recent.get('a', make)).toBe(2);
  });

  test('are used the longer, the longer they took', async () => {
    const first = recent.get('a', slowly(1_000));
    await jest.advanceTimersByTimeAsync(1_000);
    await first;
    await jest.advanceTimersByTimeAsync(19_900);
    expect(await recent.get('a', make)).toBe(1);
    expect(made).toBe(1);
    await jest.advanceTimersByTimeAsync(200);
    expect(await recent.get('a', make)).toBe(1);
    expect(made).toBe(2);
  });

  test('do not include failures, which leave the answer before in use', async () => {
    const fail = () => Promise.reject(new Error('no answer'));
    await expect(recent.get('a', fail)).rejects.toThrow('no answer');
    expect(await recent.get('a', make)).toBe(1);
    await jest.advanceTimersByTimeAsync(6_000);
    expect(await recent.get('a', fail)).toBe(1);
    await jest.advanceTimersByTimeAsync(10);
    expect(await recent.get('a', make)).toBe(1);
    await jest.advanceTimersByTimeAsync(10);
    expect(await recent.get('a', make)).toBe(2);
  });

  test('are bounded in number, and can be set and forgotten', async () => {
    for (const key of ['a', 'b', 'c']) await recent.get(key, make);
    expect(['a', 'b', 'c'].map((key) => recent.has(key))).toEqual([false, true, true]);
    recent.set('c', 7, 0);
    expect(await recent.get('c', make)).toBe(7);
    recent.delete('c');
    expect(recent.has('c')).toBe(false);
  });
});
