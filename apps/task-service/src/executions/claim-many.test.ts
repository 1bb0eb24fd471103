import { newId } from '@claude-cli/shared/ids';
import { logCommands, monitored } from '@claude-cli/shared/testing/commands';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { untimed } from '../testing/played.ts';
import { type PlayedRunner, playRunner } from '../testing/played-runner.ts';
import { claimExecution } from './claim-execution.ts';

describe('one call that asks for several executions', () => {
  let platform: TestPlatform;
  let runner: PlayedRunner;

  beforeAll(async () => {
    platform = await startTestPlatform({ MONGODB_URI: monitored(process.env.MONGODB_URI ?? '') }, untimed);
    runner = await playRunner(platform);
  });
  beforeEach(() => runner.clear());
  afterAll(async () => {
    await runner?.[Symbol.asyncDispose]();
    await platform?.[Symbol.asyncDispose]();
  });

  const queue = async (count: number, max_concurrent_tasks = 100) => {
    const resource_limits = { max_concurrent_tasks };
    const { id: project } = await platform.projects.createProject({ name: 'Several', resource_limits }, platform.admin);
    const queued: string[] = [];
    for (let n = 0; n < count; n++) queued.push((await runner.execute(await runner.newTask(project))).execution_id);
    return queued;
  };
  const ask = async (claim_ids: string[]) => {
    const [claim_id = '', ...more_claim_ids] = claim_ids;
    const { verdict, job, more } = await runner.claim('normal', { claim_id, more_claim_ids });
    return [{ claim_id, verdict, job }, ...more];
  };
  const newIds = (count: number) => Array.from({ length: count }, () => newId());

  test('is granted those whose turn it is, one for each question, and the same when it is asked again', async () => {
    const queued = await queue(5);
    const claim_ids = newIds(4);
    const answers = await ask(claim_ids);
    expect(answers.map(({ claim_id }) => claim_id)).toEqual(claim_ids);
    const granted = answers.map(({ job }) => job?.execution_id);
    expect(granted.toSorted()).toEqual(queued.slice(0, 4).toSorted());
    for (const { claim_id, job } of answers) {
      const execution = await runner.stored(job?.execution_id ?? '');
      expect(execution).toMatchObject({ status: 'running', lease: { claim_id }, generation: job?.generation });
    }
    const again = await ask(claim_ids);
    expect(again.map(({ job }) => job?.execution_id)).toEqual(granted);
    const rest = await ask(newIds(2));
    expect(rest.map(({ job }) => job?.execution_id).toSorted()).toEqual([queued[4], undefined]);
  });

  test('is given a whole lease again when it asks again', async () => {
    await queue(1);
    const claim_ids = newIds(1);
    const [granted] = await ask(claim_ids);
    const { lease, _id } = await runner.stored(granted?.job?.execution_id ?? '');
    const shorter = new Date(Number(lease?.expires_at) - 10_000);
    await platform.ctx.executions.updateOne({ _id }, { $set: { 'lease.expires_at': shorter } });
    await ask(claim_ids);
    expect(Number((await runner.stored(_id)).lease?.expires_at)).toBeGreaterThanOrEqual(Number(lease?.expires_at));
  });

  test('is granted nothing once it waits no longer', async () => {
    const [queued = ''] = await queue(1);
    const { ctx } = platform;
    const question = { priority: 'normal', claim_id: newId(), more_claim_ids: [], runner_id: 'r', no_agents: false };
    const late = { ...platform.runner, deadline: new Date(Date.now() - 1), log: ctx.log };
    expect(await claimExecution(ctx, question, late)).toMatchObject({ verdict: 'none' });
    expect(await runner.stored(queued)).toMatchObject({ status: 'queued', waiting_for: 'turn' });
    const [answer] = await ask(newIds(1));
    expect(answer?.job?.execution_id).toBe(queued);
  });

  test('is granted no more of a project than it may run', async () => {
    await queue(6, 3);
    const answers = await ask(newIds(6));
    expect(answers.filter(({ verdict }) => verdict === 'granted')).toHaveLength(3);
    expect(await platform.ctx.executions.countDocuments({ waiting_for: 'project_limit' })).toBe(3);
  });

  test('asks the database once for what they share', async () => {
    await queue(8);
    await until(
      'all to be told',
      async () => !(await platform.ctx.executions.exists({ 'outbox.0': { $exists: true } })),
    );
    using log = logCommands(platform.ctx.executions.db);
    const answers = await ask(newIds(8));
    expect(answers.every(({ verdict }) => verdict === 'granted')).toBe(true);
    const shared = ['find executions', 'find queue_states', 'find tasks', 'update project_slots'];
    for (const command of shared) expect(log.commands.filter((each) => each === command).length).toBeLessThanOrEqual(1);
  });

  test('is refused when its questions are not told apart', async () => {
    const id = newId();
    for (const more_claim_ids of [[''], [id], ['x'.repeat(201)], newIds(101)]) {
      const refused = runner.claim('normal', { claim_id: id, more_claim_ids });
      await expect(refused).rejects.toMatchObject({ code: 'VALIDATION_ERROR' });
    }
  });
});
