import { expect, test } from '@jest/globals';
import { fieldOf, percentBetween, percentOf, processorsIn } from './usage.ts';

test('percentages have two decimals and stay between 0 and 100', () => {
  expect(percentOf({ used: 1, available: 3 })).toBe(33.33);
  expect(percentOf({ used: 5, available: 4 })).toBe(100);
  expect(percentOf({ used: -1, available: 4 })).toBe(0);
  expect(percentOf({ used: 1, available: 0 })).toBe(0);
  expect(percentBetween({ used: 100, available: 1_000 }, { used: 350, available: 2_000 })).toBe(25);
});

test('the limit of a control group is read as processors', () => {
  expect(processorsIn('150000 100000\n')).toBe(1.5);
  expect(processorsIn('max 100000\n')).toBeUndefined();
  expect(processorsIn('')).toBeUndefined();
});

test('a field is found by its whole name', () => {
  const text = 'total_usage_usec 9\nusage_usec 123\nuser_usec 100\n';
  expect(fieldOf(text, 'usage_usec')).toBe(123);
  expect(fieldOf(text, 'usec')).toBeUndefined();
});
