import type { ExecutionOptions } from '@claude-cli/proto/platform/v1/tasks';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { type PlayedRunner, playRunner } from '../testing/played-runner.ts';
import { agentOptions, agentUseIn, conversationsAfter } from './agent-options.ts';

describe('the options of the agent', () => {
  test('are those of the project, with a note for each that is ignored', () => {
    const settings = { model: 'opus', ignored: ['agent.max_turns must be an integer from 1 to 10000'] };
    expect(agentOptions({}, settings)).toEqual({
      settings,
      resume_session_id: undefined,
      notes: ['a setting of the project is ignored: agent.max_turns must be an integer from 1 to 10000'],
    });
    expect(agentOptions({}, undefined)).toEqual({ settings: undefined, resume_session_id: undefined, notes: [] });
  });

  test('name the conversation to go on with, or say that there is none', () => {
    expect(agentOptions({ resume: true, conversations: ['a', 'b'] }, undefined)).toMatchObject({
      resume_session_id: 'a',
      notes: [],
    });
    expect(agentOptions({ resume: true }, undefined)).toMatchObject({
      notes: ['there is no conversation to go on with, a new one is begun'],
    });
  });
});

describe('the conversations of the next attempt', () => {
  const after = (conversations: string[] | undefined, result: Record<string, unknown> | null, retry_at?: string) =>
    conversationsAfter(conversations ? { conversations } : {}, { result, retry_at: retry_at ?? null }).conversations;
  const soon = new Date().toISOString();

  test('are the same after a failure', () => expect(after(['a'], { session_id: 'b' })).toBeUndefined());
  test('lose one that is gone', () => {
    expect(after(['a', 'b'], { session_id: null, conversation_is_gone: true }, soon)).toEqual(['b']);
    expect(after(undefined, { conversation_is_gone: true }, soon)).toEqual([]);
  });
  test('begin with one that was interrupted', () => {
    expect(after(undefined, { session_id: 'n' }, soon)).toEqual(['n']);
    expect(after(['a', 'b', 'c'], { session_id: 'n' }, soon)).toEqual(['n', 'a', 'b']);
    expect(after(['a', 'b'], { session_id: 'b' }, soon)).toEqual(['b', 'a']);
  });
  test('are never what could be an option', () => {
    for (const session_id of ['--help', '', 7, null, 'x y', 'x'.repeat(200)]) {
      expect(after(['a'], { session_id }, soon)).toEqual(['a']);
    }
  });
});

test('the use of the agent is counted once for each run of it, whatever cost it tells', () => {
  expect(agentUseIn({ result: { cost_usd: 0.5 } })).toEqual({ agent_runs: 1, agent_cost_usd: 0.5 });
  for (const cost_usd of [null, undefined, 'much', -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(agentUseIn({ result: { cost_usd } })).toEqual({ agent_runs: 1, agent_cost_usd: 0 });
  }
  expect(agentUseIn({ result: null })).toEqual({});
});

describe('a task of the agent', () => {
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

  const newAgentTask = async () => {
    const request = { title: 'Think', project_id: runner.project_id, tags: [], dependencies: [] };
    return (await platform.tasks.createTask(request, platform.admin)).id;
  };
  const claimNext = async () => {
    await runner.takeSoon();
    const { job } = await runner.claim();
    if (!job) throw new Error('not granted');
    return job;
  };
  const start = async (task_id: string, options: ExecutionOptions = {}) => {
    await runner.execute(task_id, 'normal', options);
    return claimNext();
  };
  const inTenMinutes = () => new Date(Date.now() + 600_000).toISOString();
  /** Let the time come at which the limit is reset. */
  const resetLimit = (task_id: string) =>
    platform.ctx.executions.updateOne({ task_id, waiting_for: 'agent_rate_limit' }, { $set: { due_at: new Date() } });
  const result = (session_id: string | null, cost_usd: number, more = {}) => ({ session_id, cost_usd, ...more });
  const use = async () => {
    const { projects, admin } = platform;
    const { statistics } = await projects.getProject({ project_id: runner.project_id }, admin);
    return [statistics?.agent_runs, statistics?.agent_cost_usd];
  };

  test('is given the settings of its project as they are when it starts; a command is given none', async () => {
    const { projects, admin } = platform;
    const { project_id } = runner;
    const task_id = await newAgentTask();
    await runner.execute(task_id);
    const agent = { permission_mode: 'plan', max_turns: 3, model: '--help' };
    await projects.updateProject({ project_id, settings: { agent } }, admin);
    await until('the change is heard of', async () => {
      const access = await platform.ctx.access.check(project_id, platform.runner);
      return access.agent !== undefined;
    });
    const job = await claimNext();
    expect(job).toMatchObject({
      task_id,
      prompt: 'Think',
      agent: { settings: { permission_mode: 'plan', max_turns: 3 } },
    });
    expect(job.command).toBeUndefined();
    expect(job.agent?.notes).toEqual([expect.stringContaining('agent.model must be the name of a model')]);
    await runner.report(job);
    await runner.taskBecomes(task_id, 'completed');
    await runner.execute(await runner.newTask());
    expect((await claimNext()).agent).toBeUndefined();
    await projects.updateProject({ project_id, settings: { agent: null } }, admin);
  });

  test('goes on with its latest conversation when that is asked for, also when it is retried', async () => {
    const task_id = await newAgentTask();
    const first = await start(task_id, { resume: true });
    expect(first.agent).toMatchObject({ notes: ['there is no conversation to go on with, a new one is begun'] });
    await runner.report(first, { result: result('s-1', 0) });
    await runner.taskBecomes(task_id, 'completed');
    const anew = await start(task_id);
    expect(anew.agent?.resume_session_id).toBeUndefined();
    await runner.report(anew, { result: result('s-2', 0) });
    await runner.taskBecomes(task_id, 'completed');
    const second = await start(task_id, { resume: true });
    expect(second.agent).toMatchObject({ resume_session_id: 's-2', notes: [] });
    const resumed = result('s-3', 0, { resumed_session_id: 's-2' });
    await runner.report(second, { status: 'failed', error: 'no', result: resumed });
    await runner.taskBecomes(task_id, 'failed');
    await platform.tasks.retryTask({ task_id }, platform.admin);
    const third = await claimNext();
    expect(third.agent?.resume_session_id).toBe('s-3');
    // Some versions of the CLI name a conversation that they never store.
    const gone = result(null, 0, { conversation_is_gone: true });
    await runner.report(third, { status: 'failed', error: 'gone', result: gone, retry_at: new Date().toISOString() });
    const fourth = await claimNext();
    expect(fourth).toMatchObject({ execution_id: third.execution_id, agent: { resume_session_id: 's-2' } });
    await runner.report(fourth);
    await runner.taskBecomes(task_id, 'completed');
  });

  test('that meets the limit waits until it is reset, uses up no attempt, and goes on where it was', async () => {
    const task_id = await newAgentTask();
    const [runs = 0, cost = 0] = await use();
    const job = await start(task_id);
    const retry_at = inTenMinutes();
    await runner.report(job, { status: 'failed', error: 'limit', result: result('s-9', 0.5), retry_at });
    await runner.report(job, { status: 'failed', error: 'limit', result: result('s-9', 0.5), retry_at });
    const waiting = await until('it waits', async () => {
      const execution = await platform.tasks.getTaskExecution({ task_id }, platform.admin);
      return execution.status === 'queued' && execution;
    });
    expect(waiting).toMatchObject({
      attempt: 1,
      max_attempts: 1,
      waiting: { code: 'agent_rate_limit', until: retry_at },
    });
    expect((await runner.claim()).verdict).toBe('none');
    await resetLimit(task_id);
    const again = await claimNext();
    expect(again).toMatchObject({ execution_id: job.execution_id, agent: { resume_session_id: 's-9', notes: [] } });
    await runner.report(again, { result: result('s-9', 0.25) });
    await runner.report(again, { result: result('s-9', 0.25) });
    await runner.taskBecomes(task_id, 'completed');
    expect(await use()).toEqual([runs + 2, cost + 0.75]);
    expect(await runner.stored(job.execution_id)).toMatchObject({ agent_runs: 2, attempts: [{ attempt: 1 }] });
  });

  test('counts what failed attempts cost, too', async () => {
    const task_id = await newAgentTask();
    const [runs = 0, cost = 0] = await use();
    const job = await start(task_id, { retry_attempts: 1 });
    await runner.report(job, { status: 'failed', error: 'no', result: result('s-1', 1) });
    const again = await claimNext();
    expect(again.agent?.resume_session_id).toBeUndefined();
    await runner.report(again, { status: 'failed', error: 'no', result: result('s-2', 2) });
    await runner.taskBecomes(task_id, 'failed');
    expect(await use()).toEqual([runs + 2, cost + 3]);
  });

  test('leaves the way to commands while agent work is held', async () => {
    const task_id = await newAgentTask();
    await runner.execute(task_id);
    const command = await runner.execute(await runner.newTask());
    await runner.takeSoon();
    const held = { no_agents: true, no_agents_until: inTenMinutes() };
    const { job } = await runner.claim('normal', held);
    expect(job?.execution_id).toBe(command.execution_id);
    const { waiting } = await platform.tasks.getTaskExecution({ task_id }, platform.admin);
    expect(waiting).toMatchObject({ code: 'agent_rate_limit', until: held.no_agents_until });
    await runner.purge();
    await resetLimit(task_id);
    expect(await claimNext()).toMatchObject({ task_id });
  });
});
