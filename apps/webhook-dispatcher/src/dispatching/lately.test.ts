import { expect, test } from '@jest/globals';
import { Lately } from './lately.ts';

test('what was learnt of an endpoint holds for a time after it was noted last', () => {
  const lately = new Lately<number>(100);
  lately.set('a', 1, 0);
  expect([lately.get('a', 99), lately.get('a', 100), lately.get('b', 0)]).toEqual([1, undefined, undefined]);
  lately.set('a', 2, 90);
  lately.prune(150);
  expect(lately.get('a', 150)).toBe(2);
  lately.prune(190);
  expect(lately.get('a', 150)).toBeUndefined();
});
