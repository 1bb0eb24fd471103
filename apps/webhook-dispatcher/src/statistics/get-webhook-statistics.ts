import type { GetWebhookStatisticsRequest, WebhookStatistics } from '@claude-cli/proto/platform/v1/webhooks';
import type { Call } from '@claude-cli/shared/grpc/server';
import { totalOf } from '@claude-cli/shared/total';
import type { Context } from '../context.ts';
import type { Delivery } from '../deliveries/delivery.ts';
import { findWebhook } from '../webhooks/find-webhook.ts';
import { percentilesOf } from './percentiles.ts';

const hourMs = 3_600_000;
const lengths: Readonly<Record<string, number>> = {
  '1h': hourMs,
  '24h': 24 * hourMs,
  '7d': 7 * 24 * hourMs,
  '30d': 30 * 24 * hourMs,
};
const usual = '24h';
/** Deliveries that the percentiles are of at most: so many entries of an index are read. */
const sample = 10_000;

/** How the deliveries of a webhook went. What it costs is bounded: large counts are remembered for seconds. */
export async function getWebhookStatistics(
  ctx: Context,
  { webhook_id, period = usual }: GetWebhookStatisticsRequest,
  call: Call,
): Promise<WebhookStatistics> {
  await findWebhook(ctx, webhook_id, call);
  // To the minute, so that counts which are remembered are asked for again by the same filter.
  const since = new Date(Math.floor((Date.now() - (lengths[period] ?? 24 * hourMs)) / 60_000) * 60_000);
  const waiting = { webhook_id, status: 'pending' } as const;
  const [succeeded, failed, backlog, oldest, durations] = await Promise.all([
    totalOf(ctx.deliveries, { webhook_id, finished_at: { $gte: since }, status: 'succeeded' }),
    totalOf(ctx.deliveries, { webhook_id, finished_at: { $gte: since }, status: 'failed' }),
    totalOf(ctx.deliveries, waiting),
    ctx.deliveries.findOne(waiting, { created_at: 1 }).sort({ created_at: 1, _id: 1 }).lean<Delivery>(),
    durationsSince(ctx, webhook_id, since),
  ]);
  const ended = succeeded + failed;
  return {
    webhook_id,
    period,
    since: since.toISOString(),
    succeeded,
    failed,
    success_rate: ended > 0 ? succeeded / ended : undefined,
    latency_ms: percentilesOf(durations),
    backlog,
    oldest_waiting_since: oldest?.created_at.toISOString(),
  };
}

async function durationsSince(ctx: Context, webhook_id: string, since: Date): Promise<number[]> {
  const found = await durationsQuery(ctx, webhook_id, since);
  return found.flatMap(({ duration_ms }) => duration_ms ?? []);
}

/** The query for how long the latest deliveries took: answered from the index alone. */
export function durationsQuery({ deliveries }: Pick<Context, 'deliveries'>, webhook_id: string, since: Date) {
  return deliveries
    .find({ webhook_id, finished_at: { $gte: since } }, { _id: 0, duration_ms: 1 })
    .sort({ finished_at: -1 })
    .limit(sample)
    .lean<Pick<Delivery, 'duration_ms'>[]>();
}
