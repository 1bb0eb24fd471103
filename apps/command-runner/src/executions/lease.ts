import { setTimeout } from 'node:timers/promises';
import type { Job } from '@claude-cli/proto/platform/v1/executions';
import type { Context } from '../context.ts';
import { ownOrigin } from './claim.ts';

/** Longest pause before a renewal that failed is tried again, in milliseconds. */
const retryMs = 1_000;

/** A claimed execution and the time, by performance.now(), until which it is ours. */
export interface Lease {
  job: Job;
  leaseUntil: number;
}

/**
 * Renew a lease every third of it, until disposed. It is lost when task-service says so, or when task-service could not be
 * asked for so long that it has given the execution to somebody else: then the process must be stopped.
 */
export function keepLease(ctx: Context, { job, leaseUntil }: Lease, lost: () => void): AsyncDisposable {
  const stop = new AbortController();
  const { execution_id, generation, lease_ms } = job;
  const request = { execution_id, generation, runner_id: ctx.runner.runner_id };

  const loop = async () => {
    let until = leaseUntil;
    let pause = lease_ms / 3;
    for (;;) {
      await setTimeout(Math.max(0, Math.min(pause, until - performance.now())), undefined, { signal: stop.signal });
      const asked = performance.now();
      if (asked >= until) break;
      try {
        const { held } = await ctx.executions.renewLease(request, ownOrigin(), { deadlineMs: until - asked });
        if (!held) break;
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
