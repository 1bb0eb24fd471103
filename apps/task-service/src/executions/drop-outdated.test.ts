import { newId } from '@claude-cli/shared/ids';
import { planOf, sortsByItself } from '@claude-cli/shared/testing/plan';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { dropOutdatedHistory } from '../history/drop-outdated-history.ts';
import { agentUse } from '../limits/agent-use.ts';
import { storedOutput } from '../limits/stored-output.ts';
import { endedExecution } from '../testing/ended-execution.ts';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { newTask } from '../testing/requests.ts';
import { dropOutdatedExecutions } from './drop-outdated-executions.ts';

const dayMs = 86_400_000;
let platform: TestPlatform;

beforeAll(async () => {
  platform = await startTestPlatform({ EXECUTION_TTL_DAYS: '10', HISTORY_TTL_DAYS: '20' });
});
afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
});

/** Executions that ended so many days ago, each with 10 bytes of output and one run of the agent for a dollar. */
async function ended(project_id: string, daysAgo: number, count: number, outbox: object[] = []): Promise<void> {
  const finished_at = new Date(Date.now() - daysAgo * dayMs);
  const cost = { agent_runs: 1, agent_cost_usd: 1 };
  const one = () => ({ ...endedExecution(project_id, finished_at, 10), ...cost, outbox });
  await platform.ctx.executions.collection.insertMany(Array.from({ length: count }, one) as never[]);
}

const countIn = (project_id: string) => platform.ctx.executions.countDocuments({ project_id });

test('executions go when they are too old, their output counts no more, and what the agent cost still does', async () => {
  const { ctx } = platform;
  // In one, the sums were kept before; in the other, never.
  const [large, small] = [newId(), newId()];
  await ended(large, 30, 600);
  await ended(small, 30, 3);
  for (const project_id of [large, small]) await ended(project_id, 1, 2);
  expect([await storedOutput(ctx, large), await storedOutput(ctx, small)]).toEqual([6_020, 50]);
  await dropOutdatedExecutions(ctx);
  for (const [project_id, runs] of [
    [large, 602],
    [small, 5],
  ] as const) {
    expect(await countIn(project_id)).toBe(2);
    expect(await storedOutput(ctx, project_id)).toBe(20);
    expect(await agentUse(ctx, project_id)).toEqual({ agent_runs: runs, agent_cost_usd: runs });
  }
  // Days later the rest goes as well, by several at once.
  const later = Date.now() + 20 * dayMs;
  await Promise.all([1, 2, 3].map(() => dropOutdatedExecutions(ctx, later)));
  expect([await countIn(large), await storedOutput(ctx, large), (await agentUse(ctx, small)).agent_runs]).toEqual([
    0, 0, 5,
  ]);
});

test('an execution counts right when the process died before it was dropped', async () => {
  const { ctx } = platform;
  const project_id = newId();
  await ended(project_id, 30, 3);
  await ended(project_id, 1, 1);
  const { collection } = ctx.executions;
  const dying = Object.create(ctx, {
    executions: {
      value: Object.create(ctx.executions, {
        collection: {
          value: Object.create(collection, { deleteMany: { value: () => Promise.reject(new Error('died')) } }),
        },
      }),
    },
  });
  await expect(dropOutdatedExecutions(dying)).rejects.toThrow('died');
  expect(await countIn(project_id)).toBe(4);
  expect(await storedOutput(ctx, project_id)).toBe(10);
  await dropOutdatedExecutions(ctx);
  expect([await countIn(project_id), await storedOutput(ctx, project_id)]).toEqual([1, 10]);
  expect((await agentUse(ctx, project_id)).agent_runs).toBe(4);
});

test('what waits to be told, and what has not ended, stays', async () => {
  const { ctx, tasks, admin, projects } = platform;
  const project_id = (await projects.createProject({ name: 'Kept' }, admin)).id;
  await ended(project_id, 30, 1, [{ id: newId(), time: new Date(Date.now() + dayMs).toISOString(), kind: 'ended' }]);
  const { id: task_id } = await tasks.createTask(newTask(project_id), admin);
  await tasks.executeTask({ task_id }, admin);
  await dropOutdatedExecutions(ctx, Date.now() + 100 * dayMs);
  expect(await countIn(project_id)).toBe(2);
});

test('histories go by a setting of their own', async () => {
  const { ctx } = platform;
  const entry = (days: number) => ({
    ...{ _id: newId(), task_id: 't', project_id: 'p', action: 'updated' as const, event: 'task.updated', user_id: 'u' },
    ...{ session_id: null, task_title: 't', details: {}, timestamp: new Date(Date.now() - days * dayMs) },
  });
  await ctx.history.insertMany([entry(15), entry(25), entry(30)]);
  await dropOutdatedHistory(ctx);
  expect(await ctx.history.countDocuments({ task_id: 't' })).toBe(1);
});

test('what is too old is found by an index, in its order', async () => {
  const { executions, history, deadLetters } = platform.ctx;
  const before = { $lt: new Date() };
  const questions = [
    executions.collection
      .find({ finished_at: before, outbox: { $size: 0 } })
      .sort({ finished_at: 1 })
      .limit(500),
    history.collection.find({ timestamp: before }).sort({ timestamp: 1 }).limit(500),
    deadLetters.collection.find({ stored_at: before }).sort({ stored_at: 1 }).limit(500),
  ];
  for (const question of questions) {
    const plan = await planOf(question as never);
    expect([plan.includes('IXSCAN'), sortsByItself(plan)]).toEqual([true, false]);
  }
});
