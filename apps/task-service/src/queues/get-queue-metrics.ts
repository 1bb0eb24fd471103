import type { GetQueueMetricsRequest, MetricsBucket, QueueMetrics } from '@claude-cli/proto/platform/v1/queues';
import { invalidField } from '@claude-cli/shared/errors';
import type { Context } from '../context.ts';
import { coverByHours, coverByMinutes, readPast } from './past.ts';
import { byName } from './queue-name.ts';
import { fiveMinutes, floorTo, hour } from './rollups.ts';
import type { Slice } from './summarize.ts';
import { type QueueTallies, sumOf, toProto, totalOf } from './tally.ts';

/** Times that can be asked for: how many buckets of how many seconds. */
const periods = {
  '1h': { buckets: 12, seconds: fiveMinutes },
  '24h': { buckets: 24, seconds: hour },
  '7d': { buckets: 28, seconds: 6 * hour },
  '30d': { buckets: 30, seconds: 24 * hour },
} as const;

/** One of the times that can be asked for. */
export type Period = keyof typeof periods;

/** How the queues did over a time. */
export async function getQueueMetrics(ctx: Context, { period = '24h' }: GetQueueMetricsRequest): Promise<QueueMetrics> {
  if (!Object.hasOwn(periods, period)) throw invalidField('period', 'must be 1h, 24h, 7d or 30d');
  return ctx.queues.metrics.get(period, () => metricsOf(ctx, period as Period));
}

/** The metrics of a time that ends now. The last bucket is the one that is not over. */
export async function metricsOf(ctx: Context, period: Period, now = new Date()): Promise<QueueMetrics> {
  const { buckets: count, seconds } = periods[period];
  const length = seconds * 1000;
  const since = new Date(floorTo(now, seconds).getTime() - (count - 1) * length);
  const past = await readPast(ctx, floorTo(since, hour), now);
  const slices = seconds < hour ? coverByMinutes(past, since) : coverByHours(past, since);
  // What a clock that is ahead of ours wrote belongs to the last bucket.
  const indexOf = ({ start }: Slice) => Math.min(count - 1, Math.floor((start.getTime() - since.getTime()) / length));
  const tallies = Array.from({ length: count }, (_, index) =>
    sumOf(slices.filter((slice) => indexOf(slice) === index).map(({ queues }) => queues)),
  );
  const whole = sumOf(tallies);
  return {
    period,
    since: since.toISOString(),
    until: now.toISOString(),
    bucket_seconds: seconds,
    queues: inProto(whole),
    total: toProto(totalOf(whole)),
    buckets: tallies.map(
      (queues, index): MetricsBucket => ({
        start: new Date(since.getTime() + index * length).toISOString(),
        queues: inProto(queues),
      }),
    ),
  };
}

function inProto(queues: QueueTallies) {
  return byName((priority) => toProto(queues[priority]));
}
