import type { Limits } from '../sending/limits.ts';
import { isGone, isSuccess, type Outcome } from '../sending/outcome.ts';
import type { DisabledReason } from '../webhooks/webhook.ts';

/** How an endpoint does. */
export interface Health {
  /** Attempts that failed one after another. */
  failures: number;
  /** Since when all have failed; null when the latest one succeeded. */
  failing_since: Date | null;
  /** Nothing is sent before this; null: it does not rest. */
  rests_until: Date | null;
}

/** Answers that say something about what was sent, and nothing about whether the endpoint would take something else. */
const aboutTheDelivery: ReadonlySet<number | null> = new Set([400, 409, 413, 415, 422]);

/** Answers of an endpoint, or of a proxy before it, that has too much to do. */
const busy: ReadonlySet<number | null> = new Set([429, 502, 504]);

/** How much of the time for which an endpoint has been failing it rests. */
const restShare = 0.1;

/**
 * How an endpoint does after an attempt. It rests once several attempts failed one after another, and at once when it says
 * that it has too much to do; after a rest, one attempt at a time shows whether it has recovered. The longer it has been
 * failing, the longer it rests.
 * @param random from 0 to 1
 */
export function healthAfter(
  health: Health,
  outcome: Outcome,
  limits: Limits,
  now: Date,
  random = Math.random(),
): Health {
  if (isSuccess(outcome)) return { failures: 0, failing_since: null, rests_until: null };
  const failing_since = health.failing_since ?? now;
  const failures = health.failures + 1;
  const restMs = restAfter(outcome, failures, now.getTime() - failing_since.getTime(), limits);
  const until = restMs === 0 ? null : now.getTime() + restMs * (1 + limits.jitter * random);
  // Attempts that were under way together may ask for different rests.
  const longest = Math.max(until ?? 0, health.rests_until?.getTime() ?? 0);
  return { failures, failing_since, rests_until: longest === 0 ? null : new Date(longest) };
}

function restAfter(outcome: Outcome, failures: number, failingMs: number, limits: Limits): number {
  const share = failingMs * restShare;
  const { status_code, retryAfterMs } = outcome;
  if (retryAfterMs !== null && retryAfterMs > 0 && !aboutTheDelivery.has(status_code)) {
    return Math.min(retryAfterMs, limits.longestSlowMs);
  }
  if (busy.has(status_code)) return between(limits.slowMs, share, limits.longestRestMs);
  if (aboutTheDelivery.has(status_code) || failures < limits.failuresToRest) return 0;
  return between(limits.firstRestMs, share, limits.longestRestMs);
}

/** Why an endpoint is to be sent nothing more until somebody says otherwise; undefined: it is not so. */
export function reasonToDisable(
  health: Health,
  outcome: Outcome,
  limits: Limits,
  now: Date,
): DisabledReason | undefined {
  if (isGone(outcome)) return 'gone';
  const { failures, failing_since } = health;
  const isLong = failing_since !== null && now.getTime() - failing_since.getTime() >= limits.disableAfterMs;
  return isLong && failures >= limits.disableAfterFailures ? 'failing' : undefined;
}

function between(least: number, value: number, most: number): number {
  return Math.min(Math.max(least, value), most);
}
