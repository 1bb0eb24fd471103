import { setTimeout } from 'node:timers/promises';
import type { Job } from '@claude-cli/proto/platform/v1/executions';
import { leasesLost } from '../commands/metrics.ts';
import type { Context } from '../context.ts';
import { ownOrigin } from './claim.ts';

/** Longest pause before a renewal that failed is tried again, in milliseconds. */
const retryMs = 1_000;
/** What one attempt to renew a lease may take, of the lease, and in milliseconds at least: a call that is lost leaves time for others. */
const attempt = { share: 1 / 6, leastMs: 1_000 };

/** How soon progress that is new is told, in milliseconds: no renewal follows another faster because of it. */
const progressMs = 500;

/** A claimed execution and the time, by performance.now(), until which it is ours. */
export interface Lease {
  job: Job;
  leaseUntil: number;
  /** Where in a trace it was claimed; absent where none is recorded. */
  traceparent?: string;
}

/**
 * Renew a lease every third of it, until disposed. It is lost when task-service says so, or when task-service could not be
 * asked for so long that it has given the execution to somebody else: then the process must be stopped.
 * @param progress how far the run is, in percent, when that is known: what is new is told without waiting for the next renewal
 */
export function keepLease(
  ctx: Context,
  { job, leaseUntil }: Lease,
  lost: () => void,
  progress: () => number | undefined = () => undefined,
): AsyncDisposable {
  const stop = new AbortController();
  const { execution_id, generation, lease_ms } = job;
  const request = { execution_id, generation, runner_id: ctx.runner.runner_id };

  const loop = async () => {
    let until = leaseUntil;
    let pause = lease_ms / 3;
    let told: number | undefined;
    for (;;) {
      const due = Math.min(performance.now() + pause, until);
      do {
        const wait = Math.min(progressMs, Math.max(0, due - performance.now()));
        await setTimeout(wait, undefined, { signal: stop.signal });
      } while (performance.now() < due && progress() === told);
      const asked = performance.now();
      if (asked >= until) break;
      try {
        const renewal = { ...request, progress_percentage: progress() };
        const deadlineMs = Math.min(until - asked, Math.max(attempt.leastMs, lease_ms * attempt.share));
        const { held } = await ctx.executions.renewLease(renewal, ownOrigin(), { deadlineMs });
        if (!held) break;
        told = renewal.progress_percentage;
        until = asked + lease_ms;
        pause = lease_ms / 3;
      } catch (err) {
        ctx.log.warn({ err, execution_id }, 'the lease of an execution could not be renewed');
        pause = Math.min(retryMs, lease_ms / 10);
      }
      if (stop.signal.aborted) return;
    }
    if (stop.signal.aborted) return;
    ctx.log.warn({ execution_id, generation }, 'lease lost');
    leasesLost.inc();
    lost();
  };
  const done = loop().catch(() => {});
  return {
    [Symbol.asyncDispose]: () => {
      stop.abort();
      return done;
    },
  };
}
