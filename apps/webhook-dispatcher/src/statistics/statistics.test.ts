import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { newId } from '@claude-cli/shared/ids';
import { planOf, sortsByItself } from '@claude-cli/shared/testing/plan';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { newWebhook } from '../testing/requests.ts';
import { storeMany } from '../testing/stored-deliveries.ts';
import { durationsQuery } from './get-webhook-statistics.ts';
import { percentilesOf } from './percentiles.ts';

let platform: TestPlatform;
let someone: Origin;

beforeAll(async () => {
  platform = await startTestPlatform();
  someone = await platform.newUser();
});
afterAll(async () => platform[Symbol.asyncDispose]());

describe('statistics of a webhook', () => {
  test('count what ended in the time, and what waits', async () => {
    const { webhooks, ctx } = platform;
    const { id: webhook_id } = await webhooks.createWebhook(newWebhook(), someone);
    const ago = (hours: number) => new Date(Date.now() - hours * 3_600_000);
    const waiting = { status: 'pending', finished_at: null, next_attempt_at: ago(-1) } as const;
    await storeMany(ctx, webhook_id, [
      ...Array.from({ length: 99 }, (_, n) => ({
        status: 'succeeded' as const,
        finished_at: ago(0),
        duration_ms: n + 1,
      })),
      { finished_at: ago(0), duration_ms: 15_000 },
      { finished_at: ago(30), duration_ms: 1 },
      { status: 'cancelled', finished_at: ago(0) },
      { ...waiting, created_at: ago(2) },
      { ...waiting, created_at: ago(1) },
    ]);
    expect(await webhooks.getWebhookStatistics({ webhook_id }, someone)).toMatchObject({
      period: '24h',
      succeeded: 99,
      failed: 1,
      success_rate: 0.99,
      latency_ms: { p50: 50, p95: 95, p99: 99 },
      backlog: 2,
    });
    const week = await webhooks.getWebhookStatistics({ webhook_id, period: '7d' }, someone);
    expect([week.failed, Math.round((Date.now() - Date.parse(week.oldest_waiting_since ?? '')) / 3_600_000)]).toEqual([
      2, 2,
    ]);
  });

  test('of nothing have no rate and no percentiles', async () => {
    const { webhooks } = platform;
    const { id: webhook_id } = await webhooks.createWebhook(newWebhook(), someone);
    expect(await webhooks.getWebhookStatistics({ webhook_id }, someone)).toMatchObject({
      succeeded: 0,
      success_rate: undefined,
      latency_ms: { p50: undefined, p99: undefined },
      backlog: 0,
      oldest_waiting_since: undefined,
    });
  });

  test('are read from indexes in their order', async () => {
    const { ctx } = platform;
    const waiting = ctx.deliveries.findOne({ webhook_id: newId(), status: 'pending' }).sort({ created_at: 1, _id: 1 });
    for (const query of [durationsQuery(ctx, newId(), new Date()), waiting]) {
      const plan = await planOf(query);
      expect([plan.includes('IXSCAN'), sortsByItself(plan)]).toEqual([true, false]);
    }
  });

  test('give percentiles by nearest rank', () => {
    expect(percentilesOf([7])).toEqual({ p50: 7, p95: 7, p99: 7 });
    expect(percentilesOf([4, 3, 2, 1])).toEqual({ p50: 2, p95: 4, p99: 4 });
  });
});
