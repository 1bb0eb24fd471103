import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { Watchdog } from './watchdog.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

const start = () => {
  const act = jest.fn();
  return { act, watchdog: new Watchdog({ silenceMs: 1_000, exitMs: 100 }, act) };
};

test('the watchdog acts when the stream is silent for too long, and only then', () => {
  const { act, watchdog } = start();
  for (let n = 0; n < 5; n++) {
    jest.advanceTimersByTime(900);
    watchdog.signOfLife();
  }
  jest.advanceTimersByTime(999);
  expect(act).not.toHaveBeenCalled();
  jest.advanceTimersByTime(1);
  expect(act).toHaveBeenCalledTimes(1);
  expect(watchdog.lapse).toBe('silent');
});

test('the watchdog is less patient after the result', () => {
  const { act, watchdog } = start();
  watchdog.resultCame();
  jest.advanceTimersByTime(90);
  watchdog.signOfLife();
  watchdog.resultCame();
  jest.advanceTimersByTime(99);
  expect(act).not.toHaveBeenCalled();
  jest.advanceTimersByTime(1);
  expect(act).toHaveBeenCalledTimes(1);
  expect(watchdog.lapse).toBe('lingering');
});

test('the watchdog acts once, whatever comes then, and not at all once stopped', () => {
  const { act, watchdog } = start();
  jest.advanceTimersByTime(1_000);
  watchdog.signOfLife();
  watchdog.resultCame();
  jest.advanceTimersByTime(10_000);
  expect(act).toHaveBeenCalledTimes(1);
  expect(watchdog.lapse).toBe('silent');
  const other = start();
  other.watchdog.stop();
  other.watchdog.signOfLife();
  jest.advanceTimersByTime(10_000);
  expect(other.act).not.toHaveBeenCalled();
  expect(jest.getTimerCount()).toBe(0);
});
