import { setTimeout as delay } from 'node:timers/promises';

/** Settle like a call, or reject when it takes longer. The call itself goes on: repeating it must be harmless. */
export async function within<Result>(milliseconds: number, call: Promise<Result>): Promise<Result> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds} ms`)), milliseconds);
  try {
    return await Promise.race([call, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** How long something is tried. */
export interface Patience {
  /** Milliseconds after which no further attempt is made; there is always one. */
  totalMs: number;
  /** Milliseconds that one attempt may take. */
  attemptMs: number;
}

/**
 * Try until it succeeds, with growing pauses. Rejects with the last failure.
 * @param stop no further attempt is made once it is aborted
 */
export async function tryFor<Result>(
  { totalMs, attemptMs }: Patience,
  run: () => Promise<Result>,
  stop?: AbortSignal,
): Promise<Result> {
  const until = Date.now() + totalMs;
  for (let pause = 50; ; pause = Math.min(2_000, pause * 2)) {
    try {
      return await within(attemptMs, run());
    } catch (err) {
      if (stop?.aborted || Date.now() + pause >= until) throw err;
    }
    await delay(pause, undefined, stop ? { signal: stop } : {}).catch(() => {});
  }
}
