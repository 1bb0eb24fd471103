import { newId } from '@claude-cli/shared/ids';
import { planOf } from '@claude-cli/shared/testing/plan';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { type PlayedRunner, playRunner } from '../testing/played-runner.ts';
import { type entry, turnIndex } from './execution.ts';

describe('the order in which executions have their turns', () => {
  let platform: TestPlatform;
  let runner: PlayedRunner;

  beforeAll(async () => {
    platform = await startTestPlatform();
    runner = await playRunner(platform);
  });
  beforeEach(() => runner.clear());
  afterAll(async () => {
    await runner?.[Symbol.asyncDispose]();
    await platform?.[Symbol.asyncDispose]();
  });

  const newProject = async (limit = 10_000) => {
    const resource_limits = { max_concurrent_tasks: limit };
    return (await platform.projects.createProject({ name: 'Fair', resource_limits }, platform.admin)).id;
  };
  const queue = async (project: string, count: number, priority: 'high' | 'normal' | 'low' = 'normal') => {
    const queued = [];
    for (let n = 0; n < count; n++) queued.push(await runner.execute(await runner.newTask(project), priority));
    return queued;
  };
  /** Have them read from the database, where the test has changed them. */
  const forget = (queued: ({ execution_id: string } | undefined)[]) => {
    for (const one of queued)
      if (one) platform.ctx.queues.newlyReady.delete({ _id: one.execution_id, priority: 'normal' });
  };
  const claimed = async (count: number, priority: 'high' | 'normal' | 'low' = 'normal') => {
    const jobs = [];
    for (let n = 0; n < count; n++) jobs.push((await runner.claim(priority)).job);
    return jobs;
  };

  test('lets a project that queues one be served among the next, however many another one has queued before', async () => {
    const [busy, other] = [await newProject(), await newProject()];
    const many = await queue(busy, 100);
    expect(many.map(({ queue_position }) => queue_position)).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
    const before = await claimed(20);
    expect(before.map((job) => job?.execution_id)).toEqual(many.slice(0, 20).map(({ execution_id }) => execution_id));
    const [one] = await queue(other, 1);
    expect(one?.queue_position).toBeLessThanOrEqual(2);
    const next = await claimed(3);
    expect(next.map((job) => job?.execution_id)).toContain(one?.execution_id);
  });

  test('gives projects that keep waiting turn by turn, each in its own order', async () => {
    const projects = [await newProject(), await newProject(), await newProject()];
    const queued = new Map<string, string[]>();
    for (const project of projects) {
      queued.set(
        project,
        (await queue(project, 6)).map(({ execution_id }) => execution_id),
      );
    }
    const served = await claimed(18);
    for (let round = 0; round < 6; round++) {
      const turn = served.slice(round * 3, round * 3 + 3).map((job) => job?.project_id);
      expect(new Set(turn)).toEqual(new Set(projects));
    }
    for (const project of projects) {
      const mine = served.filter((job) => job?.project_id === project).map((job) => job?.execution_id);
      expect(mine).toEqual(queued.get(project));
    }
  });

  test('does not let a project make up for the time in which it was idle', async () => {
    const [busy, idle] = [await newProject(), await newProject()];
    await queue(idle, 1);
    await claimed(1);
    await queue(busy, 20);
    await claimed(10);
    await queue(idle, 10);
    const served = await claimed(10);
    const ofIdle = served.filter((job) => job?.project_id === idle).length;
    expect(ofIdle).toBeGreaterThanOrEqual(4);
    expect(ofIdle).toBeLessThanOrEqual(6);
  });

  test('passes over a project that runs as many as it may, and takes it up again when one ends', async () => {
    const [narrow, other] = [await newProject(1), await newProject()];
    const mine = await queue(narrow, 30);
    const [theirs] = await queue(other, 1);
    const [first, second, none] = await claimed(3);
    expect(new Set([first?.execution_id, second?.execution_id])).toEqual(
      new Set([mine[0]?.execution_id, theirs?.execution_id]),
    );
    expect(none).toBeUndefined();
    const waiting = { project_id: narrow, status: 'queued' as const };
    const { executions } = platform.ctx;
    expect(await executions.countDocuments({ ...waiting, waiting_for: 'project_limit' })).toBe(29);
    for (const job of [first, second]) if (job) await runner.report(job);
    await until(
      'one to be woken',
      async () => (await executions.countDocuments({ ...waiting, waiting_for: 'turn' })) > 0,
    );
    const [next] = await claimed(1);
    expect(next?.execution_id).toBe(mine[1]?.execution_id);
  });

  test('does not leave a project waiting for a slot that a claim left when it died', async () => {
    const narrow = await newProject(1);
    const { executions, slots } = platform.ctx;
    const queued = await queue(narrow, 3);
    const left = queued[2]?.execution_id ?? '';
    await slots.create({ _id: narrow, holders: [left] });
    const [next] = await claimed(1);
    expect(next?.execution_id).toBe(left);
    const refused = { project_id: narrow, waiting_for: 'project_limit' as const };
    expect(await executions.countDocuments(refused)).toBe(2);
  });

  test('lets a project whose limit is raised go on', async () => {
    const narrow = await newProject(1);
    const queued = await queue(narrow, 2);
    await claimed(2);
    expect(await runner.stored(queued[1]?.execution_id ?? '')).toMatchObject({ waiting_for: 'project_limit' });
    const resource_limits = { max_concurrent_tasks: 2 };
    await platform.projects.updateProject({ project_id: narrow, resource_limits }, platform.admin);
    await platform.ctx.slots.updateOne({ _id: narrow }, { $set: { refused_at: new Date(Date.now() - 60_000) } });
    await until(
      'the second to be given',
      async () => (await runner.claim()).job?.execution_id === queued[1]?.execution_id,
    );
  });

  test('lets the lower priorities of a project at its limit have their share', async () => {
    const narrow = await newProject(1);
    const [running] = await queue(narrow, 2, 'high');
    const [low] = await queue(narrow, 1, 'low');
    await claimed(2, 'high');
    await claimed(1, 'low');
    // The draw falls to low once in ten times.
    const draw = jest.spyOn(Math, 'random').mockReturnValue(0.95);
    await runner.report({ execution_id: running?.execution_id ?? '', task_id: running?.task_id ?? '', generation: 1 });
    await until(
      'it to be woken',
      async () => (await runner.stored(low?.execution_id ?? '')).waiting_for === 'turn',
    ).finally(() => draw.mockRestore());
    expect((await claimed(1, 'low'))[0]?.execution_id).toBe(low?.execution_id);
  });

  test('holds work of the agent while its rate limit lasts, and shell work goes on', async () => {
    const project = await newProject();
    const { executions, agentHolds } = platform.ctx;
    const agents = await queue(project, 10);
    const ids = agents.map(({ execution_id }) => execution_id);
    await executions.updateMany({ _id: { $in: ids } }, { $set: { command: null } });
    forget(agents);
    const [shell] = await queue(project, 1);
    const over = new Date(Date.now() + 3_600_000);
    const question = { no_agents: true, no_agents_until: over.toISOString() };
    const { job } = await runner.claim('normal', question);
    expect(job?.execution_id).toBe(shell?.execution_id);
    expect(await runner.claim('normal', question)).toMatchObject({ verdict: 'none' });
    const held = { _id: { $in: ids }, waiting_for: 'agent_rate_limit' as const, due_at: over };
    expect(await executions.countDocuments(held)).toBe(10);
    await executions.updateMany(held, { $set: { due_at: new Date() } });
    const ready = { _id: { $in: ids }, waiting_for: 'turn' as const };
    await until('all to be ready', async () => (await executions.countDocuments(ready)) === 10);
    await agentHolds.deleteMany({});
    const [first] = await claimed(1);
    expect(first?.execution_id).toBe(ids[0]);
  });

  test('holds work of the agent from a runner that comes later, too, until the one that met the limit takes it again', async () => {
    const project = await newProject();
    const { executions, agentHolds } = platform.ctx;
    const [agent] = await queue(project, 1);
    const _id = agent?.execution_id ?? '';
    await executions.updateOne({ _id }, { $set: { command: null } });
    forget([agent]);
    const over = new Date(Date.now() + 3_600_000);
    const limited = { runner_id: 'limited', no_agents: true, no_agents_until: over.toISOString() };
    expect(await runner.claim('normal', limited)).toMatchObject({ verdict: 'none' });
    const again = () => executions.updateOne({ _id }, { $set: { waiting_for: 'turn', due_at: null } });
    await again();
    expect(await runner.claim('normal', { runner_id: 'restarted' })).toMatchObject({ verdict: 'none' });
    expect(await executions.findById(_id).lean()).toMatchObject({ waiting_for: 'agent_rate_limit', due_at: over });
    await again();
    expect(await runner.claim('normal', { runner_id: 'limited' })).toMatchObject({ job: { execution_id: _id } });
    expect(await agentHolds.findById('agent').lean()).toBeNull();
  });

  test('costs as little to find with 5,000 that wait as with few', async () => {
    const project = await newProject();
    const { executions } = platform.ctx;
    const template = {
      task_id: '',
      project_id: project,
      requested_by: 'u',
      status: 'queued' as const,
      priority: 'low' as const,
      rank: 2,
      run_number: 1,
      attempt: 1,
      max_attempts: 1,
      timeout_ms: 1_000,
      command: 'true',
      generation: 0,
      queued_at: new Date(),
      waiting_for: 'turn' as const,
      cancel_request: null,
      outbox: [] as ReturnType<typeof entry>[],
    };
    for (let batch = 0; batch < 5; batch++) {
      await executions.insertMany(
        Array.from({ length: 1_000 }, (_, n) => ({
          ...template,
          _id: newId(),
          task_id: newId(),
          fair_at: batch * 1_000 + n,
        })),
      );
    }
    const first = { status: 'queued', rank: 2, waiting_for: 'turn' };
    const query = executions.collection.find(first).sort({ fair_at: 1, _id: 1 }).limit(8);
    const plan = await planOf(query);
    expect(plan).toContain(Object.keys(turnIndex).join('_1_'));
    expect(plan).not.toMatch(/COLLSCAN|"SORT"/);
    const { executionStats } = await query.explain('executionStats');
    // Another server with MongoDB's protocol does not tell what it examined.
    const { totalDocsExamined = 0, totalKeysExamined = 0 } = executionStats;
    expect(totalDocsExamined).toBeLessThanOrEqual(8);
    expect(totalKeysExamined).toBeLessThanOrEqual(10);
    await executions.deleteMany({ project_id: project });
  });

  test.each([
    ['those of a queue', { status: 'queued', rank: 1, queued_at: { $lte: new Date() } }, 'rank_1_queued_at_1_status_1'],
    [
      'what is due',
      { status: 'queued', waiting_for: 'backoff', due_at: { $lte: new Date() } },
      'waiting_for_1_due_at_1',
    ],
    [
      'those that a project holds back',
      { project_id: 'p', status: 'queued', waiting_for: 'project_limit', rank: 1 },
      'project_id_1_waiting_for_1',
    ],
    ['lost runs', { status: 'running', 'lease.expires_at': { $lt: new Date() } }, 'lease.expires_at_1_status_1'],
  ])('%s are looked for where nothing is that has ended', async (_what, filter, index) => {
    const plan = await planOf(platform.ctx.executions.collection.find(filter as object));
    expect(plan).toContain(index);
    expect(plan).not.toContain('COLLSCAN');
  });

  test('begins with what an earlier version stored, which has no place', async () => {
    const project = await newProject();
    const [old, young] = await queue(project, 2);
    const stored = platform.ctx.executions.collection;
    const earlier = { $unset: { waiting_for: 1, fair_at: 1, attempts: 1, wait_for_dependencies: 1 } } as const;
    await stored.updateOne({ _id: young?.execution_id } as object, {
      ...earlier,
      $set: { deferred: false, announcements: 0, due_at: new Date() },
    });
    forget([old, young]);
    await until('it to be named', async () => (await runner.stored(young?.execution_id ?? '')).waiting_for === 'turn');
    const served = await claimed(2);
    expect(served.map((job) => job?.execution_id)).toEqual([young?.execution_id, old?.execution_id]);
  });
});
