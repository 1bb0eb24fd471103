import { describe, expect, test } from '@jest/globals';
import { type Ending, judge } from './outcome.ts';

const ended = (exit_code: number, more: Partial<Ending> = {}) =>
  judge({
    process: { exit_code, cpu_seconds: null, peak_memory_bytes: null },
    stopped: undefined,
    timeoutMs: 2_000,
    stderrTail: '',
    verdict: undefined,
    ...more,
  });
const done = { succeeded: true, error: null };
const failed = { succeeded: false, error: 'why' };
const silent = { succeeded: undefined, error: 'no word' };

describe('a command that says nothing of its outcome', () => {
  test.each<[number, Partial<Ending>, string, string | null]>([
    [0, {}, 'completed', null],
    [3, {}, 'failed', 'Exited with code 3'],
    [-9, {}, 'failed', 'Ended by signal 9'],
    [127, { stderrTail: 'sh: 1: nope: not found\n' }, 'failed', 'Command not found: nope'],
    [0, { stopped: 'timed out' }, 'timed_out', 'Timed out after 2 s'],
    [0, { stopped: 'cancelled' }, 'cancelled', 'Cancelled'],
    [-15, { stopped: 'runner stopped' }, 'failed', 'runner stopped'],
    [0, { verdict: silent }, 'completed', null],
    [3, { verdict: silent }, 'failed', 'Exited with code 3: no word'],
    [-11, { verdict: silent }, 'failed', 'Ended by signal 11: no word'],
  ])('and ends with %d, %j is %s: %s', (exit_code, more, status, error) => {
    expect(ended(exit_code, more)).toEqual({ status, error, exit_code });
  });
});

describe('a command that says how it went', () => {
  test('is believed, whatever its exit code', () => {
    expect(ended(1, { verdict: done })).toEqual({ status: 'completed', error: null, exit_code: 1 });
    expect(ended(0, { verdict: failed })).toEqual({ status: 'failed', error: 'why', exit_code: 0 });
  });

  test('is done, when only its exit was missing', () => {
    for (const stopped of ['hung', 'timed out', 'runner stopped'] as const) {
      expect(ended(-15, { verdict: done, stopped })).toEqual({ status: 'completed', error: null, exit_code: 0 });
    }
    expect(ended(-15, { verdict: failed, stopped: 'hung' })).toEqual({
      status: 'failed',
      error: 'why',
      exit_code: -15,
    });
    expect(ended(-15, { verdict: failed, stopped: 'timed out' })).toMatchObject({ status: 'timed_out' });
  });

  test('is cancelled all the same', () => {
    expect(ended(-15, { verdict: done, stopped: 'cancelled' })).toMatchObject({ status: 'cancelled', exit_code: -15 });
    expect(ended(-15, { verdict: done, stopped: 'lease lost' })).toMatchObject({ status: 'cancelled' });
  });

  test('has not run when it could not be started', () => {
    const process = { exit_code: 127, error: 'Command not found: x', cpu_seconds: null, peak_memory_bytes: null };
    expect(ended(127, { process, verdict: done })).toMatchObject({ status: 'failed', error: 'Command not found: x' });
  });
});
