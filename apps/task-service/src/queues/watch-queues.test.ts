import { newId } from '@claude-cli/shared/ids';
import { metrics } from '@claude-cli/shared/telemetry/metrics';
import { planOf, sortsByItself } from '@claude-cli/shared/testing/plan';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Context } from '../context.ts';
import { type Execution, rankOf } from '../executions/execution.ts';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { undisturbed } from '../testing/undisturbed.ts';
import { headOf, watchQueues } from './watch-queues.ts';

let platform: TestPlatform;
let ctx: Context;
const now = new Date();
const at = (secondsAgo: number) => new Date(now.getTime() - secondsAgo * 1_000);

beforeAll(async () => {
  platform = await startTestPlatform();
  ctx = await undisturbed(platform.ctx);
});
afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
});

const make = ({ priority = 'normal', ...given }: Partial<Execution>) =>
  ctx.executions.collection.insertOne({
    ...{ _id: newId(), task_id: newId(), priority, rank: rankOf(priority), status: 'queued', waiting_for: 'turn' },
    ...{ fair_at: 0, outbox: [], ...given },
  } as never);

test('the metrics tell how long the queues are, how long the next ones have waited, and who could run them', async () => {
  await make({ queued_at: at(90), fair_at: 1 });
  await make({ queued_at: at(30), fair_at: 0 });
  // What waits for something else than its turn is no sign of trouble.
  await make({ queued_at: at(9_000), waiting_for: 'dependency', fair_at: null });
  await make({ priority: 'high', queued_at: at(5_000), waiting_for: 'backoff' });
  const running = { status: 'running', waiting_for: null } as const;
  await make({ ...running, queued_at: at(60), lease: { runner_id: 'a', expires_at: at(-10) } });
  await make({ ...running, queued_at: at(60), lease: { runner_id: 'gone', expires_at: at(10) } });
  await ctx.queues.states.updateOne({ _id: 'low' }, { $set: { paused: true } });
  await ctx.queues.runners.create([
    { _id: 'a', slots: 4, seen_at: at(5) },
    { _id: 'gone', slots: 9, seen_at: at(60) },
  ]);
  await watchQueues(ctx, now);
  const told = await Promise.all(
    ['queue_depth', 'queue_head_age_seconds', 'queue_paused', 'execution_slots'].map((name) =>
      metrics.getSingleMetricAsString(name),
    ),
  );
  const lines = told.flatMap((text) => text.split('\n').filter((line) => line !== '' && !line.startsWith('#')));
  expect(lines).toEqual([
    'queue_depth{priority="high"} 1',
    'queue_depth{priority="normal"} 3',
    'queue_depth{priority="low"} 0',
    'queue_head_age_seconds{priority="high"} 0',
    'queue_head_age_seconds{priority="normal"} 30',
    'queue_head_age_seconds{priority="low"} 0',
    'queue_paused{priority="high"} 0',
    'queue_paused{priority="normal"} 0',
    'queue_paused{priority="low"} 1',
    'execution_slots{state="total"} 4',
    'execution_slots{state="used"} 1',
  ]);
});

test('the next one of a queue is found by an index, without sorting', async () => {
  const plan = await planOf(headOf(ctx, rankOf('normal')));
  expect(plan).toContain('IXSCAN');
  expect(sortsByItself(plan)).toBe(false);
});
