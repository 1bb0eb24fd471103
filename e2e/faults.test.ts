import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { poll } from '../scripts/platform/poll.ts';
import { shellQuote } from '../scripts/source-report.ts';
import { startTestPlatform, type TestPlatform } from './support/platform.ts';
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

let running: TestPlatform;
let projectId: string;

beforeAll(async () => {
  running = await startTestPlatform({ EXECUTION_LEASE_MS: String(leaseMs) });
  projectId = await createProject(running.admin);
}, 120_000);
afterAll(async () => running?.[Symbol.asyncDispose](), 60_000);

describe('a killed service', () => {
  test('is a 502 or 503 in the envelope within its deadline, and works again once it is restarted', async () => {
    const { admin, platform } = running;
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
    const again = await poll(
      async () => ((await admin.request('GET', '/api/tasks/')).status === 200 ? true : undefined),
      { timeoutMs: 15_000, intervalMs: 100 },
    );
    expect(again).toBe(true);
  }, 90_000);

  test('does not take the door with it', async () => {
    const { admin, platform, visitor } = running;
    platform.kill('project-service');
    expect((await visitor.request('GET', '/api/health')).status).toBe(200);
    await platform.ready('project-service');
    const again = await poll(
      async () => ((await admin.request('GET', '/api/projects/')).status === 200 ? true : undefined),
      { timeoutMs: 15_000, intervalMs: 100 },
    );
    expect(again).toBe(true);
  }, 90_000);
});

describe('a runner that is killed in the middle of a run', () => {
  test('has lost the run: the task has failed, and nothing of it runs on', async () => {
    const { admin, platform, scratch } = running;
    const pidFile = join(scratch, 'lost');
    const taskId = await createTask(admin, projectId, `echo $$ > ${shellQuote(pidFile)}; sleep 300`);
    await execute(admin, taskId);
    const pids = await pidsIn(pidFile, 1);
    await taskWithStatus(admin, taskId, ['running']);
    platform.kill('command-runner');
    await taskWithStatus(admin, taskId, ['failed'], leaseMs + 20_000);
    expect(await stillRunning(pids, 20_000)).toEqual([]);
    await platform.ready('command-runner');
  }, 120_000);

  test('is replaced: a run that may be tried again is, and completes', async () => {
    const { admin, platform, scratch } = running;
    const file = join(scratch, 'retried');
    const quoted = shellQuote(file);
    const command = `echo $$ >> ${quoted}; if [ "$(wc -l < ${quoted})" -eq 1 ]; then sleep 300; fi; echo done`;
    const taskId = await createTask(admin, projectId, command);
    await execute(admin, taskId, { retry_attempts: 1 });
    await pidsIn(file, 1);
    platform.kill('command-runner');
    await taskWithStatus(admin, taskId, ['completed'], leaseMs + 60_000);
    expect(readFileSync(file, 'utf8').trim().split('\n')).toHaveLength(2);
  }, 120_000);
});

describe('a task-service that is killed', () => {
  test('right after execute: the task still completes', async () => {
    const { admin, platform } = running;
    const taskId = await createTask(admin, projectId, 'echo survived');
    const { execution_id } = await execute(admin, taskId);
    platform.kill('task-service');
    await taskWithStatus(admin, taskId, ['completed'], 60_000);
    expect(await endedCommand(admin, execution_id)).toMatchObject({ status: 'completed', exit_code: 0 });
  }, 120_000);

  test('while the run ends: the result is taken when it is back', async () => {
    const { admin, platform, scratch } = running;
    const pidFile = join(scratch, 'unnoticed');
    const taskId = await createTask(admin, projectId, `echo $$ > ${shellQuote(pidFile)}; sleep 1; echo done`);
    await execute(admin, taskId);
    const pids = await pidsIn(pidFile, 1);
    platform.kill('task-service', 'SIGSTOP');
    expect(await stillRunning(pids)).toEqual([]);
    platform.kill('task-service');
    await taskWithStatus(admin, taskId, ['completed', 'failed'], 60_000);
    const { history } = await admin.call<{ history: { action: string; details: { new_value?: unknown } }[] }>(
      'GET',
      `/api/tasks/${taskId}/history`,
    );
    const ends = history.filter(({ details }) => details.new_value === 'completed' || details.new_value === 'failed');
    expect(ends.map(({ details }) => details.new_value)).toEqual(['completed']);
  }, 120_000);

  test('many times while many tasks run: each runs exactly once', async () => {
    const { admin, platform, scratch } = running;
    const tally = join(scratch, 'tally');
    const count = 12;
    const taskIds: string[] = [];
    for (let index = 0; index < count; index++) {
      const taskId = await createTask(admin, projectId, `echo ${index} >> ${shellQuote(tally)}; sleep 0.2`);
      taskIds.push(taskId);
      await execute(admin, taskId);
    }
    platform.kill('task-service');
    await platform.ready('task-service');
    for (const taskId of taskIds) await taskWithStatus(admin, taskId, ['completed'], 60_000);
    const runs = readFileSync(tally, 'utf8')
      .trim()
      .split('\n')
      .map(Number)
      .sort((a, b) => a - b);
    expect(runs).toEqual(Array.from({ length: count }, (_, index) => index));
  }, 180_000);
});
