import { priorities } from '@claude-cli/shared/amqp/topology';
import { metrics } from '@claude-cli/shared/telemetry/metrics';
import { Gauge } from 'prom-client';
import type { Context } from '../context.ts';
import { rankOf } from '../executions/execution.ts';
import { countSlots } from './runners.ts';

const depth = new Gauge({
  name: 'queue_depth',
  help: 'Executions that are queued, by priority; each replica tells all of them',
  labelNames: ['priority'] as const,
  registers: [metrics],
});

const headAge = new Gauge({
  name: 'queue_head_age_seconds',
  help: 'How long ago the execution was queued whose turn is next, by priority; 0 when none waits for its turn',
  labelNames: ['priority'] as const,
  registers: [metrics],
});

const paused = new Gauge({
  name: 'queue_paused',
  help: 'Whether a queue is paused (1) or not (0), by priority',
  labelNames: ['priority'] as const,
  registers: [metrics],
});

const slots = new Gauge({
  name: 'execution_slots',
  help: 'Slots of all runners that were heard of lately, by state: total, or used; each replica tells all of them',
  labelNames: ['state'] as const,
  registers: [metrics],
});

/** Read how the queues are doing, for the metrics. Everything is found by indexes; done now and then, however often it is asked for. */
export async function watchQueues(ctx: Context, now = new Date()): Promise<void> {
  const { executions, queues } = ctx;
  const states = await queues.states.find({ _id: { $in: priorities } }, { paused: 1 }).lean();
  for (const priority of priorities) {
    depth.set({ priority }, await queues.sizes.queued(priority));
    const head = await headOf(ctx, rankOf(priority));
    headAge.set({ priority }, head ? Math.max(0, now.getTime() - head.queued_at.getTime()) / 1000 : 0);
    paused.set({ priority }, states.find(({ _id }) => _id === priority)?.paused ? 1 : 0);
  }
  slots.set({ state: 'total' }, await countSlots(queues.runners, now));
  const running = { status: 'running', 'lease.expires_at': { $gt: now } } as const;
  slots.set({ state: 'used' }, await executions.countDocuments(running));
}

/** The query for the execution whose turn is next. */
export function headOf({ executions }: Pick<Context, 'executions'>, rank: number) {
  const waiting = { status: 'queued', rank, waiting_for: 'turn' } as const;
  return executions.findOne(waiting, { queued_at: 1 }).sort({ fair_at: 1, _id: 1 }).lean();
}
