import { metrics, waitBuckets } from '@claude-cli/shared/telemetry/metrics';
import { Counter, Histogram } from 'prom-client';
import type { Execution } from './execution.ts';

const wait = new Histogram({
  name: 'execution_wait_seconds',
  help: 'From being queued to the first start, by priority; what executions wait for on purpose is in it',
  labelNames: ['priority'] as const,
  buckets: waitBuckets,
  registers: [metrics],
});

const run = new Histogram({
  name: 'execution_run_seconds',
  help: 'How long the last attempt of executions ran that ended, by priority',
  labelNames: ['priority'] as const,
  buckets: waitBuckets,
  registers: [metrics],
});

const ended = new Counter({
  name: 'executions_total',
  help: 'Executions that ended, those apart that never began and were cleared, by priority and status',
  labelNames: ['priority', 'status'] as const,
  registers: [metrics],
});

const retries = new Counter({
  name: 'execution_retries_total',
  help: 'Attempts that failed and are made again, by priority',
  labelNames: ['priority'] as const,
  registers: [metrics],
});

/** Runs whose runner gave no sign of life for a lease. */
export const leaseExpiries = new Counter({
  name: 'execution_lease_expiries_total',
  help: 'Runs that were ended because their runner gave no sign of life for a lease',
  registers: [metrics],
});

/** An execution was given to a runner. */
export function countClaim({ priority, generation, queued_at }: Execution): void {
  if (generation === 1) wait.observe({ priority }, Math.max(0, Date.now() - queued_at.getTime()) / 1000);
}

/** A run ended. @param goesOn whether there will be another one */
export function countEnd({ priority, status, started_at, finished_at }: Execution, goesOn: boolean): void {
  if (goesOn) {
    retries.inc({ priority });
    return;
  }
  ended.inc({ priority, status });
  if (started_at && finished_at) {
    run.observe({ priority }, Math.max(0, finished_at.getTime() - started_at.getTime()) / 1000);
  }
}
