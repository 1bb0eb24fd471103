/** How often, and for how long, a call is repeated. */
export interface RetryRules {
  /** Attempts in all; 1 never repeats. */
  attempts: number;
  /** Milliseconds from the first attempt within which everything has to happen, pauses included. */
  totalMs: number;
  /** Longest first pause, in milliseconds; it doubles with each attempt. */
  firstMs: number;
  /** Longest pause, in milliseconds. What Retry-After asks for may be longer. */
  mostMs: number;
}

/** Rules when the client is not given others: pauses of 5.6 to 11.2 seconds together, longer than a gateway takes to restart. */
export const defaultRetries: RetryRules = { attempts: 7, totalMs: 60_000, firstMs: 200, mostMs: 5_000 };

/** How an attempt ended. */
export interface Outcome {
  /** HTTP status; 0 when there was no answer. */
  status: number;
  code: string;
  /** Milliseconds to wait, as Retry-After asked. */
  retryAfterMs: number | undefined;
}

/** Whether a repetition could help and do no harm. @param repeatable the call changes nothing, or carries an Idempotency-Key */
export function isRetryable({ status, code }: Outcome, repeatable: boolean): boolean {
  // Refused before anything was done.
  if (status === 429) return true;
  if (!repeatable) return false;
  // An earlier attempt of ours, whose answer was lost, is still being done.
  if (code === 'IDEMPOTENCY_KEY_IN_USE') return true;
  return status === 0 || status === 502 || status === 503 || status === 504;
}

/**
 * Milliseconds to wait before the next attempt: at random between half of a bound and all of it, which doubles, so that clients
 * that failed together do not come back together; on top of what the server asks for. @param failed attempts so far, from 1
 */
export function pauseMs(
  { firstMs, mostMs }: Pick<RetryRules, 'firstMs' | 'mostMs'>,
  failed: number,
  retryAfterMs = 0,
  random = Math.random,
): number {
  return retryAfterMs + (0.5 + random() / 2) * Math.min(mostMs, firstMs * 2 ** (failed - 1));
}

/** Milliseconds that a Retry-After header asks for: seconds, or a date. */
export function retryAfterOf(header: string | null, now = Date.now()): number | undefined {
  if (header === null || header.trim() === '') return undefined;
  const seconds = Number(header);
  const ms = Number.isNaN(seconds) ? Date.parse(header) - now : seconds * 1000;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
