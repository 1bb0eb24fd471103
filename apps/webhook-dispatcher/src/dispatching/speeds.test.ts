import { expect, test } from '@jest/globals';
import { Speeds } from './speeds.ts';

test('an endpoint is fast until it is shown to be slow, and again after some fast answers', () => {
  const speeds = new Speeds(100, 60_000);
  expect(speeds.isFast('a')).toBe(true);
  for (let n = 0; n < 5; n++) speeds.note('a', 10);
  // One that was held up among many says little.
  speeds.note('a', 300);
  expect(speeds.isFast('a')).toBe(true);
  speeds.noteLate('a');
  expect(speeds.isFast('a')).toBe(false);
  for (let n = 0; n < 5; n++) speeds.note('a', 10);
  expect(speeds.isFast('a')).toBe(true);
  for (let n = 0; n < 20; n++) speeds.note('a', 150);
  expect([speeds.isFast('a'), speeds.isFast('b')]).toEqual([false, true]);
});
