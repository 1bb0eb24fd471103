import { durationBuckets, metrics } from '@claude-cli/shared/telemetry/metrics';
import { Counter, Gauge, Histogram } from 'prom-client';
import { isSuccess, type Outcome } from '../sending/outcome.ts';

const attempts = new Counter({
  name: 'webhook_attempts_total',
  help: 'Attempts to deliver by result: succeeded, the class of the status, or why there was no answer',
  labelNames: ['result'] as const,
  registers: [metrics],
});

const attemptDuration = new Histogram({
  name: 'webhook_attempt_duration_seconds',
  help: 'Duration of attempts to deliver that were answered',
  buckets: [...durationBuckets, 15],
  registers: [metrics],
});

/** Deliveries that wait: as counted last, up to a bound. */
export const backlog = new Gauge({
  name: 'webhook_backlog',
  help: 'Deliveries that are to be sent now or later, of all dispatchers, counted up to 100,000',
  registers: [metrics],
});

/** Endpoints that this process serves. */
export const endpointsServed = new Gauge({
  name: 'webhook_endpoints_served',
  help: 'Webhooks to which this process delivers now',
  registers: [metrics],
});

/** Count an attempt. Its result is one of a few words, whatever the receiver answers. */
export function countAttempt(outcome: Outcome): void {
  attempts.inc({ result: resultOf(outcome) });
  if (outcome.status_code !== null) attemptDuration.observe(outcome.duration_ms / 1000);
}

function resultOf(outcome: Outcome): string {
  if (isSuccess(outcome)) return 'succeeded';
  const { status_code, fault } = outcome;
  if (status_code === null) return fault ?? 'unknown';
  return status_code >= 300 && status_code < 600 ? `${Math.floor(status_code / 100)}xx` : 'other';
}
