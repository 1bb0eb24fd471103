import type { Limits } from './limits.ts';
import { isGone, isSuccess, type Outcome } from './outcome.ts';

/** What becomes of a delivery after an attempt. */
export type Verdict = { status: 'succeeded' | 'failed' } | { status: 'pending'; delayMs: number };

/**
 * What becomes of a delivery: every answer but 2xx is tried again after a growing pause, or later if the receiver says so,
 * until the pauses are used up; 410 is not.
 * @param attempt number of the attempt, from 1
 * @param random from 0 to 1
 */
export function verdictOn(outcome: Outcome, attempt: number, limits: Limits, random = Math.random()): Verdict {
  if (isSuccess(outcome)) return { status: 'succeeded' };
  const pause = limits.retryDelaysMs[attempt - 1];
  if (pause === undefined || isGone(outcome)) return { status: 'failed' };
  const jittered = pause * (1 - limits.jitter + 2 * limits.jitter * random);
  const asked = Math.min(outcome.retryAfterMs ?? 0, limits.longestRetryAfterMs);
  return { status: 'pending', delayMs: Math.round(Math.max(jittered, asked)) };
}

/** Retry-After as milliseconds from now: seconds, or a date of HTTP; null when it is neither. */
export function parseRetryAfter(header: string | string[] | undefined, now: Date): number | null {
  const text = (Array.isArray(header) ? header[0] : header)?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  // Dates of HTTP begin with the day of the week; Date.parse takes much else.
  const at = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? null : Math.max(0, at - now.getTime());
}
