import { expect, test } from '@jest/globals';
import { Backlog } from './backlog.ts';

test('what the latest answer told of is a backlog, until nothing of it could be had, and for a moment after that', () => {
  let now = 0;
  const backlog = new Backlog(() => now);
  expect(backlog.has('normal')).toBe(false);
  backlog.answered('normal', true, ['normal', 'low']);
  expect([backlog.has('high'), backlog.has('normal'), backlog.has('low')]).toEqual([false, true, true]);
  backlog.answered('normal', false, ['normal', 'low']);
  expect([backlog.has('normal'), backlog.has('low')]).toEqual([false, true]);
  now = 250;
  expect(backlog.has('normal')).toBe(true);
  backlog.answered('low', true, []);
  expect([backlog.has('normal'), backlog.has('low')]).toEqual([false, false]);
});
