import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { newId } from '@claude-cli/shared/ids';
import { planOf, sortsByItself } from '@claude-cli/shared/testing/plan';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { newWebhook } from '../testing/requests.ts';
import { storeDelivery, storeMany } from '../testing/stored-deliveries.ts';
import type { DeliveryAttempt } from './delivery.ts';
import { filterOf } from './list-deliveries.ts';

let platform: TestPlatform;
let someone: Origin;
let webhook_id: string;

beforeAll(async () => {
  platform = await startTestPlatform();
  someone = await platform.newUser();
});
beforeEach(async () => {
  ({ id: webhook_id } = await platform.webhooks.createWebhook(newWebhook(), someone));
});
afterAll(async () => platform[Symbol.asyncDispose]());

const attempt = (given: Partial<DeliveryAttempt> = {}): DeliveryAttempt => ({
  at: new Date('2026-01-01T00:00:00Z'),
  duration_ms: 12.4,
  status_code: 500,
  error: 'HTTP 500',
  response: 'x'.repeat(4_096),
  ...given,
});

describe('deliveries', () => {
  test('are listed newest first, with their attempts, by status, type and time', async () => {
    const { webhooks, ctx } = platform;
    const day = (n: number) => new Date(Date.UTC(2026, 0, n));
    const [oldest, middle, newest] = await storeMany(ctx, webhook_id, [
      { created_at: day(1), attempt: 2, attempts: [attempt(), attempt({ status_code: null, error: 'timeout' })] },
      { created_at: day(2), status: 'succeeded', event_type: 'task.failed' },
      { created_at: day(3), status: 'cancelled', cancel_reason: 'paused' },
    ]);
    const ids = async (given: object) =>
      (await webhooks.listDeliveries({ webhook_id, status: [], ...given }, someone)).items.map(({ id }) => id);
    expect(await ids({})).toEqual([newest?._id, middle?._id, oldest?._id]);
    expect(await ids({ status: ['failed', 'cancelled'] })).toEqual([newest?._id, oldest?._id]);
    expect(await ids({ event_type: 'task.failed' })).toEqual([middle?._id]);
    expect(await ids({ event_type: 'task.failed', status: ['failed'] })).toEqual([]);
    expect(await ids({ created_after: day(2).toISOString(), created_before: day(3).toISOString() })).toEqual([
      middle?._id,
    ]);
    const page = await webhooks.listDeliveries({ webhook_id, status: [], page: 2, page_size: 2 }, someone);
    expect([page.total, page.items[0]?.attempts]).toEqual([
      3,
      [
        expect.objectContaining({ status_code: 500, duration_ms: 12, response: 'x'.repeat(200) }),
        expect.objectContaining({ status_code: undefined, error: 'timeout' }),
      ],
    ]);
  });

  test('are each shown with the body that is sent, and whole answers', async () => {
    const { webhooks, ctx } = platform;
    const { _id: delivery_id, payload } = await storeDelivery(ctx, webhook_id, { attempts: [attempt()] });
    const found = await webhooks.getDelivery({ webhook_id, delivery_id }, someone);
    expect(found.payload).toBe(payload);
    expect(JSON.parse(payload)).toMatchObject({ webhook_id, delivery_id });
    expect(found.delivery?.attempts[0]?.response).toHaveLength(4_096);
    const { id: other } = await webhooks.createWebhook(newWebhook(), someone);
    await expect(webhooks.getDelivery({ webhook_id: other, delivery_id }, someone)).rejects.toMatchObject({
      code: 'RESOURCE_NOT_FOUND',
    });
  });

  test.each(['failed', 'succeeded', 'cancelled'] as const)(
    'that %s are sent again under the same id, with all attempts anew',
    async (status) => {
      const { webhooks, ctx } = platform;
      const soon = new Date(Date.now() + 60_000);
      const stored = await storeDelivery(ctx, webhook_id, { status, attempt: 8, expires_at: soon });
      const again = await webhooks.redeliver({ webhook_id, delivery_id: stored._id }, someone);
      expect(again).toMatchObject({ id: stored._id, status: 'pending', attempt: 0, finished_at: undefined });
      const now = await ctx.deliveries.findById(stored._id).lean();
      expect(now?.payload).toBe(stored.payload);
      expect(now?.expires_at.getTime()).toBeGreaterThan(Date.now() + 2 * 24 * 3_600_000);
      expect(await ctx.deliveries.countDocuments({ webhook_id })).toBe(1);
    },
  );

  test('are neither sent again nor tested while the webhook is paused, and what waited is cancelled', async () => {
    const { webhooks, ctx } = platform;
    const due = new Date(Date.now() + 3_600_000);
    const waiting = { status: 'pending', next_attempt_at: due, finished_at: null } as const;
    const { _id: delivery_id } = await storeDelivery(ctx, webhook_id, waiting);
    await webhooks.pauseWebhook({ webhook_id }, someone);
    expect(await ctx.deliveries.findById(delivery_id).lean()).toMatchObject({
      status: 'cancelled',
      cancel_reason: 'paused',
      next_attempt_at: null,
    });
    const conflict = { code: 'RESOURCE_CONFLICT', details: { status: 'paused' } };
    await expect(webhooks.redeliver({ webhook_id, delivery_id }, someone)).rejects.toMatchObject(conflict);
    await expect(webhooks.testWebhook({ webhook_id }, someone)).rejects.toMatchObject(conflict);
  });

  test('that test a webhook carry an example of the event that is asked for, or of the first it is for', async () => {
    const { webhooks } = platform;
    const first = await webhooks.testWebhook({ webhook_id }, someone);
    expect(first).toMatchObject({ kind: 'test', event_type: 'task.completed', webhook_id });
    const { id: delivery_id } = await webhooks.testWebhook({ webhook_id, event_type: 'project.updated' }, someone);
    const { payload } = await webhooks.getDelivery({ webhook_id, delivery_id }, someone);
    expect(JSON.parse(payload)).toMatchObject({ event: 'project.updated', data: { name: 'E-commerce Platform' } });
  });

  test('are listed by an index in its order', async () => {
    const { deliveries } = platform.ctx;
    const order = { created_at: -1, _id: -1 } as const;
    const asked = [{ status: [] }, { status: ['failed' as const] }, { status: [], event_type: 'task.failed' }];
    for (const request of asked) {
      const plan = await planOf(deliveries.find(filterOf({ webhook_id: newId(), ...request })).sort(order));
      expect([plan.includes('IXSCAN'), sortsByItself(plan)]).toEqual([true, false]);
    }
  });
});
