import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { defaultRetries, isRetryable, pauseMs, retryAfterOf } from './retry.ts';

const outcome = (status: number, code = 'X') => ({ status, code, retryAfterMs: undefined });

test('a pause is what was asked for, and half to all of a bound that doubles up to the longest', () => {
  const failures = fc.integer({ min: 1, max: 100 });
  const chance = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(failures, fc.nat(60_000), chance, (failed, asked, random) => {
      const ms = pauseMs(defaultRetries, failed, asked, () => random);
      const most = Math.min(defaultRetries.mostMs, defaultRetries.firstMs * 2 ** (failed - 1));
      return ms >= asked + most / 2 && ms <= asked + most;
    }),
  );
  expect([1, 2, 3, 100].map((failed) => pauseMs(defaultRetries, failed, 0, () => 1))).toEqual([200, 400, 800, 5_000]);
});

test('calls outlast the restart of a gateway, and end within their time', () => {
  const pausesAt = (chance: number) =>
    Array.from({ length: defaultRetries.attempts - 1 }, (_, n) => pauseMs(defaultRetries, n + 1, 0, () => chance));
  const sum = (pauses: number[]) => pauses.reduce((total, each) => total + each, 0);
  expect(sum(pausesAt(0))).toBeGreaterThan(5_000);
  expect(sum(pausesAt(1))).toBeLessThan(defaultRetries.totalMs / 4);
});

test.each([
  [0, 'NETWORK_ERROR', true, true],
  [503, 'SERVICE_UNAVAILABLE', true, true],
  [503, 'SERVICE_UNAVAILABLE', false, false],
  [429, 'RATE_LIMIT_EXCEEDED', false, true],
  [409, 'IDEMPOTENCY_KEY_IN_USE', true, true],
  [409, 'RESOURCE_CONFLICT', true, false],
  [500, 'INTERNAL_SERVER_ERROR', true, false],
  [404, 'TASK_NOT_FOUND', true, false],
])('%i %s of a call that may be repeated: %p is repeated: %p', (status, code, repeatable, expected) => {
  expect(isRetryable(outcome(status, code), repeatable)).toBe(expected);
});

test('Retry-After is a number of seconds or a date', () => {
  expect(retryAfterOf('3')).toBe(3_000);
  expect(retryAfterOf('Wed, 21 Oct 2015 07:28:00 GMT', Date.parse('2015-10-21T07:27:55Z'))).toBe(5_000);
  expect(retryAfterOf('Wed, 21 Oct 2015 07:28:00 GMT', Date.parse('2020-01-01T00:00:00Z'))).toBe(0);
  for (const nothing of [null, '', 'soon']) expect(retryAfterOf(nothing)).toBeUndefined();
});
