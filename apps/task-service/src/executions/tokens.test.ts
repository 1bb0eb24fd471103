import type { Priority } from '@claude-cli/shared/amqp/topology';
import { newId } from '@claude-cli/shared/ids';
import { inParallel } from '@claude-cli/shared/in-parallel';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Played, startPlayed, untimed } from '../testing/played.ts';
import { driverOf } from './execution.ts';
import { announceLacking, backlogFrom, enough } from './tokens.ts';

let at: Played;
beforeAll(async () => {
  at = await startPlayed({}, untimed);
});
afterAll(async () => at?.[Symbol.asyncDispose]());

const newProject = async () => {
  const resource_limits = { max_tasks: 1_000, max_concurrent_tasks: 1_000 };
  return (await at.platform.projects.createProject({ name: 'Many', resource_limits }, at.platform.admin)).id;
};
const execute = async (count: number, priority: Priority) => {
  const project = await newProject();
  const task_ids = await inParallel(Array.from({ length: count }), 10, () => at.runner.newTask(project));
  const queued = await inParallel(task_ids, 10, (task_id) => at.runner.execute(task_id, priority));
  await until(
    'all to be told',
    async () => !(await at.platform.ctx.executions.exists({ 'outbox.0': { $exists: true } })),
  );
  return queued.map(({ execution_id }) => execution_id);
};
const compare = async () => {
  await at.platform.ctx.fair.clocks.updateMany({}, { $set: { counted_at: new Date(0) } });
  await announceLacking(at.platform.ctx);
};

test('there are as many tokens as executions are ready, but no more than are enough, and those that are left over are dropped', async () => {
  const { ctx } = at.platform;
  const tokens = () => ctx.bus.countJobs('low');
  const [first = ''] = await execute(1, 'low');
  expect(await tokens()).toBe(1);
  const { _id: _own, task_id: _its, active: _too, ...like } = await at.runner.stored(first);
  const many = Array.from({ length: enough }, () => ({ ...like, _id: newId(), task_id: newId(), outbox: [] }));
  await driverOf(ctx.executions).insertMany(many);
  ctx.queues.sizes.forget();
  await execute(5, 'low');
  expect(await tokens()).toBe(1);

  await at.runner.purge();
  await compare();
  expect(await tokens()).toBe(0);
  for (const _ of [1, 2, 3]) await compare();
  expect(await tokens()).toBe(enough);
  await ctx.executions.deleteMany({ _id: { $in: many.map(({ _id }) => _id) } });
  await compare();
  expect(await tokens()).toBe(6);
});

test('answers to claims tell of a backlog as long as much is ready', async () => {
  const queued = await execute(backlogFrom + 15, 'normal');
  const granted = new Set<string | undefined>();
  while (granted.size < queued.length) {
    const more_claim_ids = Array.from({ length: Math.min(9, queued.length - granted.size - 1) }, () => newId());
    const { job, more, backlog } = await at.runner.claim('normal', { claim_id: newId(), more_claim_ids });
    for (const each of [{ job }, ...more]) granted.add(each.job?.execution_id);
    expect(backlog).toEqual(queued.length - granted.size >= backlogFrom ? ['normal'] : []);
  }
  expect([...granted].toSorted()).toEqual(queued.toSorted());
});
