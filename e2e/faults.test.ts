import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { poll } from '../scripts/platform/poll.ts';
import { shellQuote } from '../scripts/source-report.ts';
import { seededRandom } from './support/faults.ts';
import { type Stage, setStage } from './support/stage.ts';
import { allBack, storm } from './support/storm.ts';
import {
  createProject,
  createTask,
  endedCommand,
  execute,
  pidsIn,
  stillRunning,
  taskWithStatus,
} from './support/tasks.ts';

// Short, so that a lost runner is noticed within a test; longer than a killed service takes to come back and be asked again.
const leaseMs = 8_000;
const graceMs = 6_000;

let stage: Stage;
let projectId: string;

beforeAll(async () => {
  stage = await setStage({
    settings: { EXECUTION_LEASE_MS: String(leaseMs), SHUTDOWN_GRACE_MS: String(graceMs) },
  });
  projectId = await createProject(stage.admin);
});
afterAll(async () => stage?.[Symbol.asyncDispose]());

/** Answers 200 again. */
const served = (path: string) =>
  poll(async () => ((await stage.admin.request('GET', path)).status === 200 ? true : undefined), {
    timeoutMs: 60_000,
    intervalMs: 100,
  });

/** A task that notes each of its processes in a file. */
async function noted(name: string, command: string, options: Record<string, unknown> = {}) {
  const file = join(stage.scratch, name);
  const taskId = await createTask(stage.admin, projectId, `echo $$ >> ${shellQuote(file)}; ${command}`);
  const { execution_id } = await execute(stage.admin, taskId, options);
  return { taskId, executionId: execution_id, file };
}

const runsIn = (file: string) => readFileSync(file, 'utf8').trim().split('\n').length;

describe('a killed service', () => {
  test('is a 502 or 503 in the envelope within its deadline, and works again once it is restarted', async () => {
    const { admin, platform } = stage;
    const before = platform.kill('task-service');
    const started = performance.now();
    const seen = await poll(
      async () => {
        const answer = await admin.request('GET', '/api/tasks/');
        return answer.status === 200 ? undefined : answer;
      },
      { timeoutMs: 5_000, intervalMs: 10 },
    );
    // A restart may be quicker than the first request; then there was nothing to see.
    if (seen) {
      expect([502, 503]).toContain(seen.status);
      expect(seen.body.error?.code).toMatch(/^(SERVICE_UNAVAILABLE|UPSTREAM_ERROR)$/);
      expect(seen.body.meta.request_id).toBe(seen.headers.get('x-request-id'));
    }
    expect(performance.now() - started).toBeLessThan(15_000);
    await platform.ready('task-service');
    expect(platform.pid('task-service')).not.toBe(before);
    expect(await served('/api/tasks/')).toBe(true);
  });

  test('does not take the door with it', async () => {
    const { platform, visitor } = stage;
    platform.kill('project-service');
    expect((await visitor.request('GET', '/api/health')).status).toBe(200);
    await platform.ready('project-service');
    expect(await served('/api/projects/')).toBe(true);
  });
});

describe('a runner', () => {
  test('that is killed has lost its runs: one has failed, one that may be tried again completes, nothing runs on', async () => {
    const { admin, platform } = stage;
    const once = await noted('once', 'sleep 300');
    const again = await noted(
      'again',
      `if [ "$(wc -l < ${shellQuote(join(stage.scratch, 'again'))})" -eq 1 ]; then sleep 300; fi`,
      {
        retry_attempts: 1,
      },
    );
    const pids = [...(await pidsIn(once.file, 1)), ...(await pidsIn(again.file, 1))];
    platform.kill('command-runner');
    await taskWithStatus(admin, once.taskId, ['failed'], leaseMs + 20_000);
    await taskWithStatus(admin, again.taskId, ['completed'], 60_000);
    expect([runsIn(once.file), runsIn(again.file)]).toEqual([1, 2]);
    expect(await stillRunning(pids, 20_000)).toEqual([]);
  });

  test('that is asked to end lets a run finish that does so in time, and takes nothing more', async () => {
    const { admin, platform } = stage;
    await platform.ready('command-runner');
    const { taskId, file, executionId } = await noted('in-time', 'sleep 2');
    await pidsIn(file, 1);
    platform.kill('command-runner', 'SIGTERM');
    const waiting = await noted('waiting', 'true');
    await taskWithStatus(admin, taskId, ['completed'], 30_000);
    expect(await endedCommand(admin, executionId)).toMatchObject({ status: 'completed', exit_code: 0 });
    await taskWithStatus(admin, waiting.taskId, ['completed'], 30_000);
    expect([runsIn(file), runsIn(waiting.file)]).toEqual([1, 1]);
  });
});

describe('a task-service that is killed', () => {
  test('right after execute: the task still completes', async () => {
    const { admin, platform } = stage;
    const { taskId, executionId } = await noted('survived', 'true');
    platform.kill('task-service');
    await taskWithStatus(admin, taskId, ['completed'], 60_000);
    expect(await endedCommand(admin, executionId)).toMatchObject({ status: 'completed', exit_code: 0 });
  });

  test('while the run ends: the result is taken when it is back', async () => {
    const { admin, platform } = stage;
    await platform.ready('task-service');
    const { taskId, file } = await noted('unnoticed', 'sleep 1');
    const pids = await pidsIn(file, 1);
    platform.kill('task-service', 'SIGSTOP');
    expect(await stillRunning(pids)).toEqual([]);
    platform.kill('task-service');
    await taskWithStatus(admin, taskId, ['completed', 'failed'], 60_000);
    // What happened is recorded a moment after it is seen.
    const ends = await until('its end to be recorded', async () => {
      const { history } = await admin.call<{ history: { details: { new_value?: unknown } }[] }>(
        'GET',
        `/api/tasks/${taskId}/history`,
      );
      const found = history.filter(
        ({ details }) => details.new_value === 'completed' || details.new_value === 'failed',
      );
      return found.length > 0 && found;
    });
    expect(ends.map(({ details }) => details.new_value)).toEqual(['completed']);
  });
});

describe('the broker', () => {
  test('that says everything twice and in another order makes nothing run twice', async () => {
    const { admin, platform, traffic } = stage;
    await platform.ready('task-service');
    const tasks = [];
    for (let n = 0; n < 6; n++) tasks.push(await noted(`repeated-${n}`, 'sleep 0.5'));
    const random = seededRandom(1);
    expect(await traffic.repeat(random)).toBeGreaterThanOrEqual(6);
    for (const { taskId } of tasks) await taskWithStatus(admin, taskId, ['completed'], 30_000);
    await traffic.repeat(random);
    // What is asked for afterwards is served after what was said again.
    const last = await noted('after-repeated', 'true');
    await taskWithStatus(admin, last.taskId, ['completed'], 30_000);
    expect(tasks.map(({ file }) => runsIn(file))).toEqual(tasks.map(() => 1));
  });

  test('that is away when a run ends hears of it later, and no run is lost', async () => {
    const { admin, link } = stage;
    const { taskId, file } = await noted('unheard', 'sleep 1');
    const pids = await pidsIn(file, 1);
    await link.interrupt(3_000);
    expect(await stillRunning(pids)).toEqual([]);
    await taskWithStatus(admin, taskId, ['completed'], 30_000);
    expect(runsIn(file)).toBe(1);
  });
});

test('in a storm of faults every accepted execution reaches one final state, and runs as often as its attempts say', async () => {
  await allBack(stage);
  const report = await storm(stage, projectId, {
    executions: 24,
    seconds: 12,
    pauseMs: 800,
    calmMs: 40_000,
    random: seededRandom(5),
    allowed: ({ losesMessages }) => !losesMessages,
  });
  expect(report.wrong).toEqual([]);
  expect(report.completed + report.failed + report.cancelled).toBe(24);
  expect(report.runs).toBeGreaterThan(15);
});
