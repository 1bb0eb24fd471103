import { amountOr, isObject, type JsonObject } from './json.ts';

/** Longest time for which one report of a limit holds agent work, in milliseconds. */
export const longestHoldMs = 6 * 3_600_000;
/** Hold when nobody says until when, or that is over already, in milliseconds. */
const unknownHoldMs = 5 * 60_000;
const pastHoldMs = 60_000;

/** What the CLI says about the limits of the account. */
export interface LimitNews {
  /** Requests are refused. */
  reached: boolean;
  /** When the limit is reset, in milliseconds since 1970. */
  resetsAt: number | undefined;
}

/**
 * What a rate_limit_event says. Such events come with ordinary work, too: only a status of rejected that is not made up for
 * by extra usage stops the agent.
 */
export function readLimitEvent(event: JsonObject): LimitNews {
  const info = isObject(event.rate_limit_info) ? event.rate_limit_info : {};
  const isMadeUpFor =
    info.isUsingOverage === true || info.overageStatus === 'allowed' || info.overageStatus === 'allowed_warning';
  return { reached: info.status === 'rejected' && !isMadeUpFor, resetsAt: timeOf(info.resetsAt) };
}

/** How the CLI speaks of the account's limits, and not of others such as that of the context. */
const limitWords =
  /\b(?:usage|session|hour|daily|weekly|opus|sonnet|rate) limit reached\b|\bhit your (?:[\w-]+ ){0,3}limit\b|\brate_limit_error\b/i;

/** Whether an error is that of a reached limit: "Claude AI usage limit reached|1735693200", "You've hit your limit · resets 8pm". */
export function limitInError(error: string): LimitNews | undefined {
  if (!limitWords.test(error)) return undefined;
  return { reached: true, resetsAt: timeOf(Number(/\|(\d{10,13})\b/.exec(error)?.[1])) };
}

/** Until when a reached limit holds agent work: at most six hours, after which it is tried again. */
export function holdUntil({ resetsAt }: Pick<LimitNews, 'resetsAt'>, now = Date.now()): Date {
  if (resetsAt === undefined) return new Date(now + unknownHoldMs);
  return new Date(resetsAt > now ? Math.min(resetsAt, now + longestHoldMs) : now + pastHoldMs);
}

/** The CLI counts in seconds. */
function timeOf(value: unknown): number | undefined {
  const seconds = amountOr(value);
  if (seconds === null || seconds === 0) return undefined;
  return seconds > 1e11 ? seconds : seconds * 1000;
}
