import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { newId } from '@claude-cli/shared/ids';
import { planOf, sortsByItself } from '@claude-cli/shared/testing/plan';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { newWebhook } from '../testing/requests.ts';
import { storeMany } from '../testing/stored-deliveries.ts';
import type { Replay } from './replay.ts';
import { batchQuery, runReplays } from './run-replays.ts';

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

const start = Date.UTC(2026, 0, 1);
const minute = (n: number) => new Date(start + n * 60_000);

/** Wait until a replay has ended. */
function ended(replay_id: string) {
  return until('the end of the replay', async () => {
    const replay = await platform.webhooks.getReplay({ webhook_id, replay_id }, someone);
    return replay.status === 'running' ? undefined : replay;
  });
}

/** Deliveries that a replay has sent again. */
function sentAgain(replay_id: string): Promise<number> {
  return platform.ctx.deliveries.countDocuments({ replay_id }).exec();
}

describe('a replay', () => {
  test('sends what failed in a time again, and tells how far it is', async () => {
    const { webhooks, ctx } = platform;
    await storeMany(ctx, webhook_id, [
      ...Array.from({ length: 250 }, (_, n) => ({ created_at: minute(n) })),
      { created_at: minute(10), status: 'succeeded' as const },
      { created_at: minute(-1) },
      { created_at: minute(250) },
    ]);
    const [since, end] = [minute(0).toISOString(), minute(250).toISOString()];
    const started = await webhooks.startReplay({ webhook_id, since, until: end, statuses: [] }, someone);
    expect(started).toMatchObject({ status: 'running', total: 250, replayed: 0, truncated: false });
    const replay = await ended(started.id);
    expect(replay).toMatchObject({ status: 'completed', total: 250, replayed: 250, statuses: ['failed'] });
    expect(replay.covered_until).toBe(minute(249).toISOString());
    expect(await sentAgain(started.id)).toBe(250);
  });

  test('sends what happened while the webhook was paused, once it is resumed', async () => {
    const { webhooks, ctx } = platform;
    await webhooks.pauseWebhook({ webhook_id }, someone);
    await storeMany(ctx, webhook_id, [{ created_at: minute(0), status: 'cancelled', cancel_reason: 'paused' }]);
    const request = { webhook_id, since: minute(0).toISOString(), statuses: ['cancelled'] };
    await expect(webhooks.startReplay(request, someone)).rejects.toMatchObject({ code: 'RESOURCE_CONFLICT' });
    await webhooks.resumeWebhook({ webhook_id }, someone);
    const { id } = await webhooks.startReplay(request, someone);
    expect(await ended(id)).toMatchObject({ replayed: 1 });
  });

  test('is the only one of its webhook', async () => {
    const { webhooks, ctx } = platform;
    const request = { webhook_id, since: minute(0).toISOString(), statuses: [] };
    const running: Replay = { ...aReplay(), claimable_at: new Date(Date.now() + 60_000) };
    await ctx.replays.create(running);
    await expect(webhooks.startReplay(request, someone)).rejects.toMatchObject({ code: 'RESOURCE_CONFLICT' });
    await expect(webhooks.startReplay({ ...request, since: '2999-01-01T00:00:00Z' }, someone)).rejects.toMatchObject({
      code: 'VALIDATION_ERROR',
      details: { field: 'since' },
    });
  });

  test('whose process died half way is finished by another one, and sends and counts each delivery once', async () => {
    const { ctx } = platform;
    const stored = await storeMany(
      ctx,
      webhook_id,
      Array.from({ length: 150 }, (_, n) => ({ created_at: minute(n) })),
    );
    const replay = aReplay();
    // Noted, and half of it made pending, when the process died.
    const batch = stored.slice(0, 100).map(({ _id }) => _id);
    await ctx.deliveries.updateMany(
      { _id: { $in: batch.slice(0, 50) } },
      { $set: { status: 'succeeded', replay_id: replay._id, finished_at: new Date() } },
    );
    await ctx.replays.create({ ...replay, batch, holder: 'dead', claimable_at: new Date(0) });
    expect(await ended(replay._id)).toMatchObject({ status: 'completed', replayed: 150 });
    expect(await sentAgain(replay._id)).toBe(150);
    const settled = await ctx.deliveries.countDocuments({ replay_id: replay._id, status: 'succeeded' });
    expect(settled).toBeGreaterThanOrEqual(50);
  });

  test('ends when its webhook is paused', async () => {
    const { webhooks, ctx } = platform;
    await webhooks.pauseWebhook({ webhook_id }, someone);
    const replay = aReplay();
    await ctx.replays.create(replay);
    await runReplays(ctx);
    expect(await ended(replay._id)).toMatchObject({ status: 'cancelled', replayed: 0 });
  });

  test('finds its deliveries by an index, wherever it is', async () => {
    const replay = aReplay();
    for (const after of [null, { created_at: minute(1), _id: newId() }]) {
      const plan = await planOf(batchQuery(platform.ctx, { ...replay, after }, 100));
      expect([plan.includes('IXSCAN'), sortsByItself(plan)]).toEqual([true, false]);
    }
  });
});

function aReplay(): Replay {
  return {
    _id: newId(),
    webhook_id,
    requested_by: someone.caller.user_id,
    since: minute(0),
    until: minute(1_000),
    statuses: ['failed'],
    status: 'running',
    total: 0,
    truncated: false,
    replayed: 0,
    after: null,
    batch: [],
    holder: null,
    claimable_at: new Date(),
    created_at: new Date(),
    finished_at: null,
    expires_at: new Date(Date.now() + 3_600_000),
  };
}
