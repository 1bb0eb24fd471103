import type { AwaitedExecution } from '@claude-cli/proto/platform/v1/executions';
import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { type PlayedRunner, playRunner } from '../testing/played-runner.ts';

const waitMs = 10_000;

describe('slots that wait', () => {
  let platform: TestPlatform;
  let runner: PlayedRunner;
  /** Where as much may run at once as these tests leave running. */
  let project: string;
  const runners: string[] = [];

  beforeAll(async () => {
    platform = await startTestPlatform();
    runner = await playRunner(platform);
    const resource_limits = { max_concurrent_tasks: 100 };
    ({ id: project } = await platform.projects.createProject({ name: 'Many', resource_limits }, platform.admin));
  });
  afterEach(async () => {
    for (const runner_id of runners.splice(0)) await platform.executions.endAwaiting({ runner_id }, platform.runner);
    await runner.clear();
  });
  afterAll(async () => {
    await runner?.[Symbol.asyncDispose]();
    await platform?.[Symbol.asyncDispose]();
  });

  /** Let slots wait; they do when this resolves. */
  const wait = async (
    claim_ids: string[],
    {
      runner_id = newId(),
      wait_ms = waitMs,
      maybe_granted = false,
      signal,
    }: { runner_id?: string; wait_ms?: number; maybe_granted?: boolean; signal?: AbortSignal } = {},
  ) => {
    runners.push(runner_id);
    const origin = { ...platform.runner, ...(signal && { signal }) };
    const stream = await platform.executions.awaitExecutions({ runner_id, claim_ids, wait_ms, maybe_granted }, origin);
    const given: AwaitedExecution[] = [];
    const ended = (async () => {
      for await (const each of stream) given.push(each);
    })();
    ended.catch(() => {});
    return { runner_id, given, ended };
  };
  const execute = async () => (await runner.execute(await runner.newTask(project))).execution_id;
  const executionsOf = (given: AwaitedExecution[]) => given.map(({ job }) => job?.execution_id);

  test('are given what is executed, with the time that they waited, and no token is sent', async () => {
    const ids = [newId(), newId()];
    const before = performance.now();
    const { given, ended, runner_id } = await wait(ids);
    const first = await execute();
    const second = await execute();
    await ended;
    const waitedMs = performance.now() - before;
    expect(executionsOf(given)).toEqual([first, second]);
    expect(new Set(given.map(({ claim_id }) => claim_id))).toEqual(new Set(ids));
    for (const { waited_ms, job } of given) {
      expect(waited_ms).toBeGreaterThanOrEqual(0);
      expect(waited_ms).toBeLessThanOrEqual(waitedMs);
      expect(job).toMatchObject({ command: 'echo hello', generation: 1, project_id: project });
    }
    expect(await runner.stored(first)).toMatchObject({ status: 'running', lease: { runner_id } });
    expect(await runner.take()).toBe(false);
  });

  test('make what they are given the first in the queue, for which nothing is counted', async () => {
    const { ended } = await wait([newId()]);
    const counting = jest.spyOn(platform.ctx.queues.places, 'ahead');
    expect(await runner.execute(await runner.newTask(project))).toMatchObject({ status: 'queued', queue_position: 1 });
    await ended;
    expect(counting).not.toHaveBeenCalled();
    counting.mockRestore();
  });

  test('of several runners are given something in turn', async () => {
    const [one, other] = [await wait([newId(), newId()]), await wait([newId(), newId()])];
    for (let n = 0; n < 4; n++) await execute();
    await Promise.all([one.ended, other.ended]);
    expect([one.given.length, other.given.length]).toEqual([2, 2]);
    // The first and the third for the one, the others for the other.
    const [first = '', third = ''] = executionsOf(one.given);
    const [second = '', fourth = ''] = executionsOf(other.given);
    expect([first, second, third, fourth]).toEqual([first, second, third, fourth].toSorted());
  });

  test('are given no work of the agent, which comes by its token', async () => {
    const { given } = await wait([newId()]);
    const request = { title: 'Think', project_id: runner.project_id, tags: [], dependencies: [] };
    const { id } = await platform.tasks.createTask(request, platform.admin);
    await runner.execute(id);
    await runner.takeSoon();
    expect(given).toEqual([]);
    expect(await runner.claim()).toMatchObject({ verdict: 'granted', granted_before: false, job: { task_id: id } });
  });

  test('are given nothing of a paused queue, and what waited there once it goes on', async () => {
    await platform.queues.pauseQueue({ queue_name: 'normal_priority' }, platform.admin);
    const { given, ended } = await wait([newId()]);
    const execution_id = await execute();
    expect(await runner.stored(execution_id)).toMatchObject({ status: 'queued' });
    await runner.purge();
    await platform.queues.resumeQueue({ queue_name: 'normal_priority' }, platform.admin);
    await ended;
    expect(executionsOf(given)).toEqual([execution_id]);
  });

  test('are given what waited for a slot of its project', async () => {
    const resource_limits = { max_concurrent_tasks: 1 };
    const { id } = await platform.projects.createProject({ name: 'One at a time', resource_limits }, platform.admin);
    const [one, two] = [await runner.newTask(id), await runner.newTask(id)];
    const { given } = await wait([newId(), newId()]);
    await runner.execute(one);
    const { execution_id } = await runner.execute(two);
    const [first] = await until('one to be given', () => given.length === 1 && given);
    // What could not be given was announced, and is found to wait for the project.
    await runner.takeSoon();
    await runner.claim();
    expect(await runner.stored(execution_id)).toMatchObject({ waiting_for: 'project_limit' });
    await runner.report({ execution_id: first?.job?.execution_id ?? '', task_id: one, generation: 1 });
    await until('the other to be given', () => given.length === 2);
    expect(executionsOf(given)[1]).toBe(execution_id);
  });

  test('are given nothing more once their wait has ended, is over, or nobody listens', async () => {
    const ended = await wait([newId()]);
    await platform.executions.endAwaiting({ runner_id: ended.runner_id }, platform.runner);
    await ended.ended;
    const over = await wait([newId()], { wait_ms: 1 });
    await over.ended;
    const gone = new AbortController();
    const left = await wait([newId()], { signal: gone.signal });
    gone.abort();
    await expect(left.ended).rejects.toThrow();
    await until('the wait to be over', () => !platform.ctx.vacancies.isAwaited);
    const execution_id = await execute();
    await runner.takeSoon();
    expect([...ended.given, ...over.given, ...left.given]).toEqual([]);
    expect((await runner.claim()).job?.execution_id).toBe(execution_id);
  });

  test('ask with a token as well, and are granted one execution by both', async () => {
    const claim_id = newId();
    const { given, runner_id, ended } = await wait([claim_id]);
    const execution_id = await execute();
    await ended;
    const again = await runner.claim('normal', { claim_id, runner_id });
    expect(again).toMatchObject({ verdict: 'granted', granted_before: true, job: { execution_id } });
    expect(executionsOf(given)).toEqual([execution_id]);
  });

  test('that were granted something with a token are given nothing', async () => {
    const execution_id = await execute();
    const [asked, free] = [newId(), newId()];
    const { given, runner_id } = await wait([asked, free]);
    expect(await runner.claim('normal', { claim_id: asked, runner_id })).toMatchObject({ job: { execution_id } });
    const next = await execute();
    await until('one to be given', () => given.length === 1);
    expect(given).toMatchObject([{ claim_id: free, job: { execution_id: next } }]);
    // One that was granted nothing waits on.
    const other = newId();
    const waiting = await wait([other], { runner_id });
    expect(await runner.claim('normal', { claim_id: other, runner_id })).toMatchObject({ verdict: 'none' });
    const last = await execute();
    await waiting.ended;
    expect(executionsOf(waiting.given)).toEqual([last]);
  });

  test('hear of what an earlier call gave them, when its answer may have been lost', async () => {
    const [lost, never] = [newId(), newId()];
    const execution_id = await execute();
    const { runner_id } = await wait([]);
    await runner.claim('normal', { claim_id: lost, runner_id });
    const look = await wait([lost, never], { runner_id, wait_ms: 0, maybe_granted: true });
    await look.ended;
    expect(look.given).toMatchObject([{ claim_id: lost, job: { execution_id } }]);
  });

  test('are each given one execution at most, and each execution is given once, whoever asks at the same time', async () => {
    const ids = Array.from({ length: 12 }, newId);
    const { given, runner_id, ended } = await wait(ids);
    const tasks = await Promise.all(ids.map(() => runner.newTask(project)));
    const executions = tasks.map((task) => runner.execute(task));
    const asked = ids.slice(6).map((claim_id) => runner.claim('normal', { claim_id, runner_id }));
    const queued = (await Promise.all(executions)).map(({ execution_id }) => execution_id);
    const answers = await Promise.all(asked);
    const told = new Map(given.map(({ claim_id, job }) => [claim_id, job?.execution_id]));
    for (const [n, { job }] of answers.entries()) {
      const claim_id = ids[6 + n] ?? '';
      if (job) expect(told.get(claim_id) ?? job.execution_id).toBe(job.execution_id);
      if (job) told.set(claim_id, job.execution_id);
    }
    await until('all to be given', async () => {
      for (const { claim_id, job } of given) told.set(claim_id, job?.execution_id);
      return told.size === ids.length || !(await claimRest(told));
    });
    expect(new Set(told.values()).size).toBe(told.size);
    for (const execution_id of queued) expect([...told.values()]).toContain(execution_id);
    await platform.executions.endAwaiting({ runner_id }, platform.runner);
    await ended;
  });

  /** Claim what was announced because no slot waited just then. @returns whether anything was left */
  const claimRest = async (told: Map<string, string | undefined>) => {
    const { job } = await runner.claim();
    if (job) told.set(newId(), job.execution_id);
    return job !== undefined;
  };

  test.each([
    ['runner_id', { runner_id: '', claim_ids: [newId()] }],
    ['claim_ids', { runner_id: 'r', claim_ids: [''] }],
    ['claim_ids', { runner_id: 'r', claim_ids: ['a', 'a'] }],
    ['claim_ids', { runner_id: 'r', claim_ids: Array.from({ length: 1_001 }, newId) }],
  ])('are refused where %s is wrong', async (field, wrong) => {
    const request = { ...wrong, wait_ms: waitMs, maybe_granted: false };
    await expect(platform.executions.awaitExecutions(request, platform.runner)).rejects.toMatchObject({
      code: 'VALIDATION_ERROR',
      details: { field },
    });
  });
});
