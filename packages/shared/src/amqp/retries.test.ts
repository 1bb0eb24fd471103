import { describe, expect, jest, test } from '@jest/globals';
import { PlatformError } from '../errors.ts';
import { isOutage, pauseMs, settle, tryAgain, usualAttempts } from './retries.ts';

const away = new PlatformError('SERVICE_UNAVAILABLE', 'away');

describe('a message that a handler fails on', () => {
  const never = new AbortController().signal;

  test('is given up after so many failures', async () => {
    const run = jest.fn(() => Promise.reject(new TypeError('bad')));
    const failed = jest.fn();
    expect(await tryAgain(run, { limit: 3, signal: never, failed })).toBe('given up');
    expect(run).toHaveBeenCalledTimes(3);
    expect(failed.mock.calls.map(([, attempt]) => attempt)).toEqual([1, 2, 3]);
  });

  test('is not given up for outages, however often they are met', async () => {
    const errors = [away, away, away, new TypeError('bad'), away];
    const run = jest.fn(async () => {
      const error = errors.shift();
      if (error) throw error;
    });
    expect(await tryAgain(run, { limit: 2, signal: never, failed: () => {} })).toBe('done');
    expect(run).toHaveBeenCalledTimes(6);
  });

  test('is left to others when it is interrupted, also in a pause or by the last failure', async () => {
    const stop = new AbortController();
    const end = tryAgain(() => Promise.reject(away), { limit: 1, signal: stop.signal, failed: () => {} });
    stop.abort();
    expect(await end).toBe('interrupted');
    const late = new AbortController();
    const run = async () => {
      late.abort();
      throw new TypeError('bad');
    };
    expect(await tryAgain(run, { limit: 1, signal: late.signal, failed: () => {} })).toBe('interrupted');
  });

  test('is left to the broker when its channel is closing, and no other error is hidden', () => {
    const failing = (name: string) => () => {
      throw Object.assign(new Error('x'), { name });
    };
    expect(() => settle(failing('IllegalOperationError'))).not.toThrow();
    expect(() => settle(failing('TypeError'))).toThrow('x');
  });

  test('is tried for about five minutes by default', () => {
    const pauses = Array.from({ length: usualAttempts - 1 }, (_, index) => pauseMs(index + 1));
    const total = pauses.reduce((sum, pause) => sum + pause, 0);
    expect(total).toBeGreaterThan(4 * 60_000);
    expect(total).toBeLessThan(6 * 60_000);
  });

  test.each([
    [new PlatformError('DATABASE_ERROR', 'x'), true],
    [Object.assign(new Error('x'), { name: 'MongoServerSelectionError' }), true],
    [new PlatformError('UPSTREAM_ERROR', 'x'), true],
    [new PlatformError('TASK_NOT_FOUND', 'x'), false],
    [new TypeError('x'), false],
    ['x', false],
  ])('tells %s from an outage: %s', (thrown, expected) => {
    expect(isOutage(thrown)).toBe(expected);
  });
});
