import { newId } from '@claude-cli/shared/ids';
import { planOf, sortsByItself } from '@claude-cli/shared/testing/plan';
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Context } from '../context.ts';
import { type Execution, rankOf } from '../executions/execution.ts';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { undisturbed } from '../testing/undisturbed.ts';
import { countFinished, getQueueLoad } from './get-queue-load.ts';
import { metricsOf, type Period } from './get-queue-metrics.ts';
import { forgetOverview, overviewOf } from './overview.ts';
import { fiveMinutes, floorTo, hour, rollUp } from './rollups.ts';

const minute = 60_000;
const day = 24 * hour;
/** In the middle of five minutes, of an hour and of a day. */
const now = new Date(floorTo(Date.now(), day).getTime() + (14 * 60 + 32.5) * minute);
const at = (minutesAgo: number, seconds = 0) => new Date(now.getTime() - minutesAgo * minute + seconds * 1_000);

describe('numbers of the queues', () => {
  let platform: TestPlatform;
  let ctx: Context;

  beforeAll(async () => {
    platform = await startTestPlatform();
  });
  // It is what time we say here.
  beforeEach(async () => {
    ctx = await undisturbed(platform.ctx);
  });
  afterAll(async () => {
    await platform?.[Symbol.asyncDispose]();
  });

  /** An execution that was queued so many minutes ago, waited and ran so many seconds. */
  const make = async (given: Partial<Execution> & { ago: number; waited?: number; ran?: number }) => {
    const { ago, waited, ran, priority = 'normal', ...fields } = given;
    const started_at = waited === undefined ? null : at(ago, waited);
    const finished_at = ran === undefined ? null : at(ago, (waited ?? 0) + ran);
    await ctx.executions.collection.insertOne({
      _id: newId(),
      task_id: newId(),
      priority,
      rank: rankOf(priority),
      status: 'completed',
      queued_at: at(ago),
      started_at,
      finished_at,
      outbox: [],
      ...fields,
    } as never);
  };
  const makeAll = async () => {
    for (const ran of [10, 20, 30, 40]) await make({ ago: 4, waited: 5, ran, priority: 'high' });
    await make({ ago: 4, waited: 1, ran: 60, priority: 'high', status: 'failed' });
    await make({ ago: 50, waited: 100, ran: 200, status: 'timed_out' });
    await make({ ago: 50, ran: 30, status: 'cancelled' });
    await make({ ago: 180, waited: 2, ran: 4, priority: 'low' });
    await make({ ago: 3 * 24 * 60, waited: 2, ran: 8, priority: 'low' });
    await make({ ago: 20 * 24 * 60, waited: 2, ran: 8, priority: 'low', status: 'failed' });
    await make({ ago: 1, waited: 1, status: 'running', lease: { runner_id: 'a', expires_at: at(-1) } });
    await make({ ago: 1, waited: 1, status: 'running', lease: { runner_id: 'gone', expires_at: at(1) } });
    await make({ ago: 1, status: 'queued' });
  };
  const rollUpAll = async () => {
    const made = () => ctx.queues.rollups.countDocuments({});
    for (let last = -1; last !== (await made()); ) {
      last = await made();
      await rollUp(ctx, now);
    }
  };

  test('are those that can be counted by hand, rolled up or not', async () => {
    await makeAll();
    const check = async () => {
      const { queues, total, buckets, ...rest } = await metricsOf(ctx, '1h', now);
      const since = at(57, -30).toISOString();
      expect(rest).toEqual({ period: '1h', since, until: now.toISOString(), bucket_seconds: 300 });
      const { high_priority: high, normal_priority: normal, low_priority: low } = queues ?? {};
      expect(high).toMatchObject({ queued: 5, completed: 4, failed: 1, cancelled: 0, success_rate: 0.8 });
      expectNear(high?.run_seconds, { p50: 30, p95: 60, p99: 60 });
      expectNear(high?.wait_seconds, { p50: 5, p95: 5, p99: 5 });
      expect(normal).toMatchObject({ queued: 5, completed: 0, failed: 1, cancelled: 1, success_rate: 0 });
      expectNear(normal?.wait_seconds, { p50: 100, p99: 100 });
      expect(low).toMatchObject({ queued: 0, success_rate: undefined, run_seconds: { p50: undefined } });
      expect(total).toMatchObject({ queued: 10, completed: 4, failed: 2, cancelled: 1, success_rate: 0.6667 });
      expect(buckets.map((bucket) => bucket.queues?.high_priority?.completed)).toEqual(Array(12).fill(0).with(10, 4));
      expect(buckets.map((bucket) => bucket.queues?.normal_priority?.failed)).toEqual(Array(12).fill(0).with(2, 1));
      expect(buckets[0]?.start).toBe(since);
    };
    await check();
    await rollUpAll();
    await check();
    const totalOf = async (period: Period) => (await metricsOf(ctx, period, now)).total;
    expect(await totalOf('24h')).toMatchObject({ completed: 5, failed: 2, cancelled: 1, queued: 11 });
    expect(await totalOf('7d')).toMatchObject({ completed: 6, failed: 2, cancelled: 1, queued: 12 });
    expect(await totalOf('30d')).toMatchObject({ completed: 6, failed: 3, cancelled: 1, queued: 13 });
    const { buckets, since } = await metricsOf(ctx, '30d', now);
    expect([buckets.length, since]).toEqual([
      30,
      new Date(floorTo(now, day).getTime() - 29 * day * 1000).toISOString(),
    ]);
    expect(buckets.at(-1)?.queues?.low_priority?.completed).toBe(1);
    expect(buckets.at(-4)?.queues?.low_priority?.completed).toBe(1);
  });

  test('are the same however often, and by however many at once, they are rolled up', async () => {
    await makeAll();
    await Promise.all([rollUpAll(), rollUpAll()]);
    const once = await metricsOf(ctx, '30d', now);
    await ctx.queues.rollups.deleteMany({ seconds: hour, start: { $gte: at(600) } });
    await rollUpAll();
    expect(await metricsOf(ctx, '30d', now)).toEqual(once);
    const starts = await ctx.queues.rollups.find({ seconds: hour }, { start: 1 }).sort({ start: 1 }).lean();
    const gaps = starts
      .slice(1)
      .filter(({ start }, n) => start.getTime() - (starts[n]?.start.getTime() ?? 0) !== hour * 1000);
    expect(gaps).toEqual([]);
  });

  test('of the status are counted now, today, in the last hour and in the last five minutes', async () => {
    await makeAll();
    await make({ ago: 16 * 60, waited: 1, ran: 1 });
    await rollUpAll();
    const { runners } = ctx.queues;
    await runners.create([
      { _id: 'a', slots: 4, seen_at: at(0, -10) },
      { _id: 'b', slots: 3, seen_at: at(0, -29) },
      { _id: 'gone', slots: 9, seen_at: at(0, -31) },
    ]);
    const { status, outlook } = await overviewOf(ctx, now);
    expect(status).toEqual({
      queues: {
        high_priority: { size: 0, processing: 0, completed_today: 4, paused: false, pause_reason: undefined },
        normal_priority: { size: 1, processing: 2, completed_today: 0, paused: false, pause_reason: undefined },
        low_priority: { size: 0, processing: 0, completed_today: 1, paused: false, pause_reason: undefined },
      },
      workers: { active: 1, idle: 6, total: 7 },
      performance: { tasks_per_minute: 1, average_processing_time: '00:01:00', success_rate: 0.6667 },
    });
    expect(outlook).toMatchObject({ slots: 7, running: 2, meanMs: 60_000 });
    await runners.deleteMany({});
    expect((await overviewOf(ctx, now)).status.workers).toEqual({ active: 0, idle: 0, total: 0 });
  });

  test('of runners follow their reports', async () => {
    const { executions, runner, queues, admin } = platform;
    const runner_id = newId();
    const workers = async () => {
      forgetOverview(platform.ctx);
      return (await queues.getQueueStatus({}, admin)).workers;
    };
    await executions.reportRunner({ runner_id, slots: 5, leaving: false }, runner);
    await executions.reportRunner({ runner_id, slots: 6, leaving: false }, runner);
    expect(await workers()).toEqual({ active: 0, idle: 6, total: 6 });
    await executions.reportRunner({ runner_id, slots: 6, leaving: true }, runner);
    expect(await workers()).toEqual({ active: 0, idle: 0, total: 0 });
    const broken = executions.reportRunner({ runner_id, slots: -1, leaving: false }, runner);
    await expect(broken).rejects.toMatchObject({ code: 'VALIDATION_ERROR', details: { field: 'slots' } });
  });

  test('of the load are what waits and what ended in the last minute, counted once for all who ask', async () => {
    await make({ ago: 0.5, waited: 1, ran: 2 });
    await make({ ago: 0.5, waited: 1, ran: 2, status: 'failed' });
    await make({ ago: 0.5, waited: 1, ran: 2, status: 'timed_out' });
    await make({ ago: 0.5, ran: 2, status: 'cancelled' });
    await make({ ago: 2, waited: 1, ran: 2 });
    for (const priority of ['high', 'low', 'low'] as const) await make({ ago: 0, status: 'queued', priority });
    expect(await countFinished(ctx, now)).toBe(3);
    const count = jest.spyOn(ctx.executions, 'countDocuments');
    const answers = await Promise.all(Array.from({ length: 50 }, () => getQueueLoad(ctx, {})));
    for (const answer of answers) expect(answer).toMatchObject({ high: 1, normal: 0, low: 2 });
    expect(count).toHaveBeenCalledTimes(4);
    count.mockRestore();
  });

  test('come from indexes only', async () => {
    const { executions, queues } = ctx;
    const some = new Date();
    const questions: [{ collection: unknown }, object, object?][] = [
      [executions, { status: 'queued', rank: 1 }],
      [executions, { status: 'queued', rank: 1, queued_at: { $lt: some } }, { queued_at: 1 }],
      [executions, { status: 'queued', rank: 1, fence: { $not: { $gte: 2 } } }],
      [executions, { status: 'queued', waiting_for: 'backoff', due_at: { $lte: some } }, { due_at: 1 }],
      [executions, { status: 'queued', rank: 1, waiting_for: 'turn' }, { fair_at: 1, _id: 1 }],
      [executions, { status: 'queued', rank: 1, waiting_for: 'turn', fair_at: { $lt: 1 } }],
      [executions, { project_id: 'p', status: 'queued', waiting_for: 'project_limit', rank: 1 }, { fair_at: 1 }],
      [executions, { status: 'running', 'lease.expires_at': { $gt: some } }],
      [executions, { finished_at: { $gt: some }, status: { $ne: 'cancelled' } }],
      [executions, { finished_at: { $gte: some, $lt: some } }],
      [executions, { rank: 1, queued_at: { $gte: some, $lt: some } }],
      [executions, { rank: 1 }, { queued_at: 1 }],
      [queues.rollups, { seconds: hour, start: { $gte: some } }, { start: 1 }],
      [queues.rollups, { seconds: fiveMinutes }, { start: -1 }],
      [queues.runners, { seen_at: { $gt: some } }],
    ];
    for (const [{ collection }, filter, sort = {}] of questions) {
      const cursor = (collection as typeof executions.collection).find(filter).sort(sort as never);
      const plan = await planOf(cursor);
      expect({ filter, plan }).toEqual({ filter, plan: expect.stringContaining('IXSCAN') });
      expect(plan).not.toContain('COLLSCAN');
      expect({ plan, sorts: sortsByItself(plan) }).toEqual({ plan, sorts: false });
    }
  });

  test('of the last minutes do not look at what was completed long ago', async () => {
    for (let n = 0; n < 50; n++) await make({ ago: 600, waited: 1, ran: 1 });
    await make({ ago: 2, waited: 1, ran: 1 });
    for (const status of [{}, { status: { $ne: 'cancelled' } }]) {
      const filter = { finished_at: { $gt: at(5) }, ...status };
      const { executionStats } = await ctx.executions.collection.find(filter).explain('executionStats');
      expect(executionStats).toMatchObject({ nReturned: 1, totalDocsExamined: 1 });
    }
  });

  const expectNear = (found: object | undefined, wanted: Record<string, number>) => {
    for (const [name, value] of Object.entries(wanted)) {
      const relative = (found as Record<string, number>)[name] ?? 0;
      expect(Math.abs(relative / value - 1)).toBeLessThan(0.025);
    }
  };
});
