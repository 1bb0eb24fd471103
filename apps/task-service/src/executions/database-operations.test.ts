import { newId } from '@claude-cli/shared/ids';
import { inParallel } from '@claude-cli/shared/in-parallel';
import { logCommands, monitored } from '@claude-cli/shared/testing/commands';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { key, recentOverview } from '../queues/overview.ts';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { untimed } from '../testing/played.ts';
import { type PlayedRunner, playRunner } from '../testing/played-runner.ts';

const runs = 40;
const hourMs = 3_600_000;
/** What is done so often in a second at most, however many executions there are: removing what was told, and what is remembered. */
const perSecond = new Set(['update executions', 'update fair_clocks', 'find fair_clocks', 'find project_usage']);
/** Runners that work at the same time. */
const width = 8;

describe('operations of the database', () => {
  let platform: TestPlatform;
  let runner: PlayedRunner;

  beforeAll(async () => {
    const settings = { MONGODB_URI: monitored(process.env.MONGODB_URI ?? '') };
    // What the timers do, they do whether anything is executed or not.
    platform = await startTestPlatform(settings, untimed);
    runner = await playRunner(platform);
  });
  afterAll(async () => {
    await runner?.[Symbol.asyncDispose]();
    await platform?.[Symbol.asyncDispose]();
  });

  const runOne = async (task_id: string) => {
    await runner.execute(task_id);
    const { job } = await until('a grant', async () => {
      const answer = await runner.claim();
      return answer.verdict === 'granted' && answer;
    });
    if (job) await runner.report(job);
  };
  const isQuiet = async () => {
    const { tasks, executions } = platform.ctx;
    const left = { 'outbox.0': { $exists: true } };
    return !(await executions.exists({ $or: [{ active: true }, left] })) && !(await tasks.exists(left));
  };

  /** Operations per execution when so many are made at a time. */
  const countOperations = async (atOnce: number) => {
    const task_ids = await inParallel(Array.from({ length: runs }), width, () => runner.newTask());
    await runOne(await runner.newTask());
    await until('all to be told', isQuiet);
    // What is looked at once a second has nothing to do with how many there are.
    platform.ctx.queues.forecasts.set(key, await recentOverview(platform.ctx), hourMs);
    using log = logCommands(platform.ctx.executions.db);
    await inParallel(task_ids, atOnce, runOne);
    const perRun = log.commands.filter((command) => !perSecond.has(command)).length / runs;
    await until('all to be told', isQuiet);
    return perRun;
  };

  test('of clearing a queue grow with its batches, not with what waits in it', async () => {
    const { ctx, queues, admin } = platform;
    const count = 450;
    const { execution_id, task_id } = await runner.execute(await runner.newTask(), 'low');
    await until('it to be told', async () => (await runner.stored(execution_id)).outbox.length === 0);
    const execution = await runner.stored(execution_id);
    const task = await ctx.tasks.findById(task_id).lean();
    const copies = Array.from({ length: count - 1 }, () => ({ execution_id: newId(), task_id: newId() }));
    const tasks = copies.map((ids) => ({
      ...task,
      _id: ids.task_id,
      latest_run: { ...task?.latest_run, execution_id: ids.execution_id },
    }));
    await ctx.tasks.collection.insertMany(tasks as never[]);
    const executions = copies.map((ids) => ({ ...execution, _id: ids.execution_id, task_id: ids.task_id }));
    await ctx.executions.collection.insertMany(executions as never[]);
    using log = logCommands(ctx.executions.db);
    const asked = { queue_name: 'low_priority', confirm: true } as const;
    const { cleared_count } = await queues.clearQueue(asked, admin, { deadlineMs: 60_000 });
    expect(cleared_count).toBe(count);
    expect(log.commands.length).toBeLessThanOrEqual(3 * 15);
    expect(await ctx.tasks.countDocuments({ _id: { $in: tasks.map(({ _id }) => _id) }, status: 'cancelled' })).toBe(
      count - 1,
    );
  });

  test('of executions one after the other are few', async () => {
    expect(await countOperations(1)).toBeLessThanOrEqual(10);
  });

  test('of executions at the same time are fewer, because they share some', async () => {
    expect(await countOperations(width)).toBeLessThanOrEqual(5);
  });
});
