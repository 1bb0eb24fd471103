import { expect, test } from '@jest/globals';
import { RequestWindow } from './request-window.ts';

const start = 1_700_000_000_000;

test('counts the requests of the last minute and forgets older ones', () => {
  const window = new RequestWindow();
  expect(window.metrics(start)).toEqual({ requests_per_minute: 0, average_response_time: 0, error_rate: 0 });
  window.add(200, 10, start);
  window.add(503, 20, start + 30_000);
  window.add(404, 30, start + 30_000);
  expect(window.metrics(start + 59_000)).toEqual({
    requests_per_minute: 3,
    average_response_time: 20,
    error_rate: 0.3333,
  });
  expect(window.metrics(start + 61_000)).toEqual({
    requests_per_minute: 2,
    average_response_time: 25,
    error_rate: 0.5,
  });
  expect(window.metrics(start + 600_000).requests_per_minute).toBe(0);
});

test('does not count the same second of an earlier minute twice', () => {
  const window = new RequestWindow();
  window.add(200, 10, start);
  window.add(200, 10, start + 60_000);
  expect(window.metrics(start + 60_000).requests_per_minute).toBe(1);
});
