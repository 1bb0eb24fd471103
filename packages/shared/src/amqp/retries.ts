import { setTimeout } from 'node:timers/promises';
import { type ErrorCode, PlatformError } from '../errors.ts';

/**
 * How often a handler may fail on a message, outages apart, before the message is set aside: with the pauses between them
 * that takes five minutes.
 */
export const usualAttempts = 16;

/** Pauses after a failure, in milliseconds: the first, doubled each time, and the longest. */
const pauses = { first: 200, longest: 30_000 };

/** What tells that something else is away or busy, and nothing about the message that was being handled. */
const outages: ReadonlySet<ErrorCode> = new Set([
  'DATABASE_ERROR',
  'SERVICE_UNAVAILABLE',
  'UPSTREAM_ERROR',
  'SYSTEM_OVERLOADED',
  'SYSTEM_MAINTENANCE',
]);

/** Whether something failed because a database, a broker or another service is away: it will work again by itself. */
export function isOutage(thrown: unknown): boolean {
  return outages.has(PlatformError.from(thrown).code);
}

/** How the attempts ended: interrupted ones are somebody else's now. */
export type AttemptsEnd = 'done' | 'given up' | 'interrupted';

/** The rules of attempts. */
export interface AttemptRules {
  /** Failures that are not outages after which it is given up; outages are waited out without end. */
  limit: number;
  /** Interrupts: no further attempt is made. */
  signal: AbortSignal;
  /** Longest pause, in milliseconds; half a minute when absent. */
  longestPauseMs?: number;
  /** Told of each failure. */
  failed(error: unknown, attempt: number): void;
}

/** Try something until it succeeds, with growing pauses, or until it has failed too often by itself. */
export async function tryAgain(
  run: () => Promise<void>,
  { limit, signal, longestPauseMs = pauses.longest, failed }: AttemptRules,
): Promise<AttemptsEnd> {
  let failures = 0;
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      await run();
      return signal.aborted ? 'interrupted' : 'done';
    } catch (error) {
      failed(error, attempt);
      if (!isOutage(error) && ++failures >= limit) return signal.aborted ? 'interrupted' : 'given up';
    }
    await setTimeout(Math.min(longestPauseMs, pauseMs(attempt)), undefined, { signal }).catch(() => {});
  }
  return 'interrupted';
}

/** Answer the broker about a message. On a channel that is closing that is not possible: the message comes again. */
export function settle(answer: () => void): void {
  try {
    answer();
  } catch (error) {
    if ((error as Error | null)?.name !== 'IllegalOperationError') throw error;
  }
}

/** Pause after a failed attempt, in milliseconds. @param attempt from 1 */
export function pauseMs(attempt: number): number {
  return Math.min(pauses.longest, pauses.first * 2 ** (attempt - 1));
}
