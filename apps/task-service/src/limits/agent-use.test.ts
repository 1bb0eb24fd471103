import { newId } from '@claude-cli/shared/ids';
import { planOf } from '@claude-cli/shared/testing/plan';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { agentUse } from './agent-use.ts';

describe('the use of the agent in a project', () => {
  let platform: TestPlatform;

  beforeAll(async () => {
    platform = await startTestPlatform();
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  const ended = async (project_id: string, agent_runs: number, agent_cost_usd: number, finished_at: Date | null) => {
    const facts = {
      task_id: newId(),
      project_id,
      requested_by: 'u',
      status: 'completed',
      output_bytes: 1,
      finished_at,
    };
    const counted = agent_runs > 0 ? { agent_runs, agent_cost_usd } : {};
    await platform.ctx.executions.collection.insertOne({ _id: newId(), ...facts, ...counted } as never);
  };

  test('is told with the project, and is nothing at first', async () => {
    const { projects, admin } = platform;
    const { id: project_id } = await projects.createProject({ name: 'Agents' }, admin);
    const told = async () => (await projects.getProject({ project_id }, admin)).statistics;
    expect(await told()).toMatchObject({ agent_runs: 0, agent_cost_usd: 0 });
    await ended(project_id, 1, 0.1, new Date());
    await ended(project_id, 2, 0.2, new Date());
    await ended(project_id, 0, 0, new Date());
    await ended(newId(), 5, 5, new Date());
    await ended(project_id, 7, 7, null);
    expect(await told()).toMatchObject({ agent_runs: 3, agent_cost_usd: 0.3 });
  });

  test('is exact, also when only the latest ends are added up, and kept apart from the stored output', async () => {
    const { ctx } = platform;
    const project_id = newId();
    const now = Date.now();
    for (let n = 0; n < 500; n++) await ended(project_id, 1, 0.01, new Date(now - 3_600_000 + n));
    await ended(project_id, 1, 2, new Date(now));
    expect(await agentUse(ctx, project_id)).toEqual({ agent_runs: 501, agent_cost_usd: 7 });
    expect(await ctx.usage.findById(project_id).lean()).toMatchObject({ agent: { runs: 500 }, output: null });
    await ended(project_id, 1, 3, new Date());
    expect(await agentUse(ctx, project_id)).toEqual({ agent_runs: 502, agent_cost_usd: 10 });
    for (let n = 0; n < 500; n++) await ended(project_id, 1, 0, new Date(now - 60_000));
    await Promise.all([1, 2, 3].map(() => agentUse(ctx, project_id, new Date(now + 3_600_000))));
    expect(await ctx.usage.findById(project_id).lean()).toMatchObject({ agent: { runs: 1_002 } });
    expect(await agentUse(ctx, project_id)).toEqual({ agent_runs: 1_002, agent_cost_usd: 10 });
  });

  test('is found by an index that knows nothing of commands', async () => {
    const filter = { project_id: newId(), finished_at: { $gt: new Date() }, agent_runs: { $gt: 0 } };
    expect(await planOf(platform.ctx.executions.collection.find(filter))).toContain(
      'project_id_1_finished_at_1_agent_runs_1_agent_cost_usd_1',
    );
  });
});
