import { metrics, WatchedGauge, waitBuckets } from '@claude-cli/shared/telemetry/metrics';
import { Counter, Histogram } from 'prom-client';
import type { Context } from '../context.ts';
import type { CommandEnd, CommandFacts } from './command.ts';

const slots = new WatchedGauge(
  'runner_slots',
  'Room of this runner by kind (execution or direct) and state: total, or used',
  ['kind', 'state'],
);

const ended = new Counter({
  name: 'commands_total',
  help: 'Commands that ended on this runner, by kind (execution or direct) and status',
  labelNames: ['kind', 'status'] as const,
  registers: [metrics],
});

const duration = new Histogram({
  name: 'command_duration_seconds',
  help: 'How long processes of commands ran, by kind (execution or direct)',
  labelNames: ['kind'] as const,
  buckets: waitBuckets,
  registers: [metrics],
});

/** Leases that this runner could not keep: it stopped what ran under them. */
export const leasesLost = new Counter({
  name: 'runner_leases_lost_total',
  help: 'Executions that this runner stopped because its lease was refused or could not be renewed',
  registers: [metrics],
});

/** A command ended. */
export function countCommand(kind: CommandFacts['kind'], status: CommandEnd['status'], durationMs: number): void {
  ended.inc({ kind, status });
  duration.observe({ kind }, durationMs / 1000);
}

/** Show how much room there is. */
export function watchSlots({ config, executionSlots, directSlots }: Context): AsyncDisposable {
  const [forExecutions, forDirect] = [config.RUNNER_CONCURRENCY, config.COMMAND_CONCURRENCY];
  return slots.watch(() => [
    [{ kind: 'execution', state: 'total' }, forExecutions],
    [{ kind: 'execution', state: 'used' }, forExecutions - executionSlots.free],
    [{ kind: 'direct', state: 'total' }, forDirect],
    [{ kind: 'direct', state: 'used' }, forDirect - directSlots.free],
  ]);
}
