import type { QueueSize, QueueStatus } from '@claude-cli/proto/platform/v1/queues';
import { priorities } from '@claude-cli/shared/amqp/topology';
import { formatDuration } from '@claude-cli/shared/duration';
import type { Context } from '../context.ts';
import { rankOf } from '../executions/execution.ts';
import { assumedRunMs, type Outlook } from './forecast.ts';
import { coverByHours, coverByMinutes, readPast } from './past.ts';
import { byName, byPriority } from './queue-name.ts';
import { fiveMinutes, floorTo, hour } from './rollups.ts';
import { countSlots } from './runners.ts';
import { successRate, sumOf, type Tally, totalOf } from './tally.ts';

/** How the queues are doing, for people and for forecasts. */
export interface Overview {
  status: QueueStatus;
  outlook: Outlook;
}

/** Running executions whose start is looked at; of more of them, these stand for all. */
const runningSample = 200;
const day = 24 * hour;

/** The only key of what is remembered. */
export const key = 'overview';

/** The overview, at most a second old, because many ask again and again. */
export function recentOverview(ctx: Context): Promise<Overview> {
  return ctx.queues.overviews.get(key, () => overviewOf(ctx));
}

/** The same for forecasts: nobody waits for it, except for the first; up to some seconds old. */
export function forecastOverview(ctx: Context): Promise<Overview> {
  return ctx.queues.forecasts.get(key, () => recentOverview(ctx));
}

/** Look anew the next time, because the caller changed something and will want to see it. */
export function forgetOverview({ queues }: Context): void {
  queues.overviews.delete(key);
  queues.forecasts.delete(key);
  queues.sizes.forget();
}

/** Look at the queues. Everything is counted by indexes, and the past comes from rollups. */
export async function overviewOf(ctx: Context, now = new Date()): Promise<Overview> {
  const { executions, queues } = ctx;
  const midnight = floorTo(now, day);
  const hourAgo = floorTo(now.getTime() - (hour - fiveMinutes) * 1000, fiveMinutes);
  const since = floorTo(Math.min(midnight.getTime(), hourAgo.getTime()), hour);
  const fiveMinutesAgo = new Date(now.getTime() - fiveMinutes * 1000);
  const countOf = (status: 'queued' | 'running') =>
    Promise.all(priorities.map((priority) => executions.countDocuments({ status, rank: rankOf(priority) })));
  const [sizes, processing, states, slots, leased, recentlyEnded, running, past] = await Promise.all([
    countOf('queued'),
    countOf('running'),
    queues.states.find({ _id: { $in: priorities } }).lean(),
    countSlots(queues.runners, now),
    executions.countDocuments({ status: 'running', 'lease.expires_at': { $gt: now } }),
    // Named by what is left out, so that no index is tempted to begin with all that were ever completed.
    executions.countDocuments({ finished_at: { $gt: fiveMinutesAgo }, status: { $ne: 'cancelled' } }),
    executions.find({ status: 'running' }, { started_at: 1 }).limit(runningSample).lean(),
    readPast(ctx, since, now),
  ]);
  const today = sumOf(coverByHours(past, midnight).map((slice) => slice.queues));
  const lastHour = totalOf(sumOf(coverByMinutes(past, hourAgo).map((slice) => slice.queues)));
  const sizeByPriority = byPriority((priority): QueueSize => {
    const rank = rankOf(priority);
    const state = states.find(({ _id }) => _id === priority);
    return {
      size: sizes[rank] ?? 0,
      processing: processing[rank] ?? 0,
      completed_today: today[priority].completed,
      paused: state?.paused ?? false,
      pause_reason: state?.reason ?? undefined,
    };
  });
  const active = Math.min(leased, slots);
  return {
    status: {
      queues: byName((priority) => sizeByPriority[priority]),
      workers: { active, idle: slots - active, total: slots },
      performance: {
        tasks_per_minute: recentlyEnded / 5,
        average_processing_time: formatDuration(meanRunMs(lastHour) ?? 0),
        success_rate: successRate(lastHour) ?? 1,
      },
    },
    outlook: {
      slots,
      running: processing.reduce((sum, count) => sum + count, 0),
      elapsedMs: running.map(({ started_at }) => Math.max(0, now.getTime() - (started_at ?? now).getTime())),
      meanMs: Math.max(1, meanRunMs(lastHour) ?? meanRunMs(totalOf(today)) ?? assumedRunMs),
    },
  };
}

function meanRunMs({ completed, failed, run_ms }: Tally): number | undefined {
  return completed + failed === 0 ? undefined : run_ms / (completed + failed);
}
