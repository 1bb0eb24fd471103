import { setTimeout } from 'node:timers/promises';
import type { Context } from '../context.ts';
import { ownOrigin } from './claim.ts';

/** Pauses between reports, in milliseconds: after one that was heard, and after one that was not. */
const pauses = { heard: 10_000, unheard: 1_000 };
/** How long a report may take, and how long stopping waits for the last one, in milliseconds. */
const deadlines = { report: 2_000, leaving: 500 };

/**
 * Tell task-service that this runner is there and how many slots it has, now and every 10 s, and when stopped that it
 * leaves. Neither start nor work depends on being heard; stopping waits half a second for it at most.
 */
export function reportRunner(ctx: Context): AsyncDisposable {
  const stop = new AbortController();
  const loop = async () => {
    while (!stop.signal.aborted) {
      const heard = await report(ctx, false, deadlines.report, stop.signal);
      const pause = heard ? pauses.heard : pauses.unheard;
      await setTimeout(pause, undefined, { signal: stop.signal }).catch(() => {});
    }
  };
  const done = loop();
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await done;
      await report(ctx, true, deadlines.leaving);
    },
  };
}

async function report(ctx: Context, leaving: boolean, deadlineMs: number, stop?: AbortSignal): Promise<boolean> {
  const request = { runner_id: ctx.runner.runner_id, slots: ctx.config.RUNNER_CONCURRENCY, leaving };
  // A signal of its own, because the call listens to it for as long as the signal is there.
  const origin = stop ? { ...ownOrigin(), signal: AbortSignal.any([stop]) } : ownOrigin();
  try {
    await ctx.executions.reportRunner(request, origin, { deadlineMs });
    return true;
  } catch (err) {
    if (!stop?.aborted) ctx.log.debug({ err }, 'task-service was not told of this runner');
    return false;
  }
}
