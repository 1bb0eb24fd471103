import { expect, test } from '@jest/globals';
import { growth, isFlat, median } from './trend.ts';

test('growth is that of the line through a series', () => {
  expect(growth([3, 5, 7, 9])).toBeCloseTo(6);
  expect(growth([10, 0, 10, 0, 10])).toBeCloseTo(0);
  expect(growth([9, 7, 5])).toBeCloseTo(-4);
  expect([growth([]), growth([4])]).toEqual([0, 0]);
});

test('the median is in the middle', () => {
  expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([7])]).toEqual([2, 2.5, 7]);
  expect(median([])).toBeNaN();
});

test('a series is flat after its first third, within a share or an amount', () => {
  const bound = { share: 0.1, atLeast: 5 };
  const warm = [10, 60, 100, 100, 101, 99, 100, 100, 100];
  expect(isFlat(warm, bound)).toBe(true);
  const leaking = Array.from({ length: 30 }, (_, minute) => 100 + 2 * minute);
  expect(isFlat(leaking, bound)).toBe(false);
  expect(isFlat([1, 2, 3, 4, 5, 6], bound)).toBe(true);
  expect(isFlat([200, 190, 100, 90, 80, 70], bound)).toBe(true);
});
