import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { testEnvironment } from '@claude-cli/shared/testing/environment';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Receiver, startReceiver } from '../apps/webhook-dispatcher/src/testing/receiver.ts';
import { poll } from '../scripts/platform/poll.ts';
import { shellQuote } from '../scripts/source-report.ts';
import { DatabaseCopy, type Document } from './support/copy.ts';
import { startPlatformOn, type TestPlatform } from './support/platform.ts';
import { createProject, createTask, execute, taskWithStatus } from './support/tasks.ts';

const environment = testEnvironment();
const { MONGODB_URI = '', AMQP_URL = '', AMQP_PREFIX = '' } = environment.env;
// A lost runner is noticed within a test.
const settings = { EXECUTION_LEASE_MS: '3000', WEBHOOK_ALLOW_PRIVATE_NETWORKS: 'true', RUNNER_CONCURRENCY: '2' };

let running: TestPlatform;
let receiver: Receiver;
let projectId: string;

beforeAll(async () => {
  running = await startPlatformOn({ MONGODB_URI, AMQP_URL, AMQP_PREFIX, ...settings });
  receiver = await startReceiver();
  projectId = await createProject(running.admin);
  const events = ['task.created', 'task.completed'];
  await running.admin.call('POST', '/api/webhooks/', { url: receiver.url, project_id: projectId, events });
});
afterAll(async () => {
  await running?.[Symbol.asyncDispose]();
  await receiver?.[Symbol.asyncDispose]();
  await environment[Symbol.asyncDispose]();
});

/** A task that notes each of its runs. */
async function noted(name: string, command: string): Promise<{ taskId: string; runs: () => number }> {
  const file = join(running.scratch, name);
  const taskId = await createTask(running.admin, projectId, `echo run >> ${shellQuote(file)}; ${command}`);
  const runs = () => readFileSync(file, { encoding: 'utf8', flag: 'a+' }).split('\n').length - 1;
  return { taskId, runs };
}

/** How often the webhook was told an event of a task. */
const told = (event: string, taskId: string) =>
  receiver.received.filter(
    ({ headers, body }) => headers['x-event-type'] === event && JSON.parse(body).data.task_id === taskId,
  ).length;

async function historyOf(taskId: string): Promise<{ id: string; details: { new_value?: unknown } }[]> {
  const { history } = await running.admin.call<{ history: { id: string; details: { new_value?: unknown } }[] }>(
    'GET',
    `/api/tasks/${taskId}/history`,
  );
  return history;
}

test('an older copy of the tasks is put back under a platform that went on: what was queued and ran ends, and nothing is told twice', async () => {
  const { admin, platform } = running;
  const done = await noted('done', 'true');
  await execute(admin, done.taskId);
  await taskWithStatus(admin, done.taskId, ['completed']);

  // It runs for as long as the copy takes.
  const copied = join(running.scratch, 'copied');
  const ran = await noted('ran', `until [ -e ${shellQuote(copied)} ]; do sleep 0.1; done`);
  await execute(admin, ran.taskId, { retry_attempts: 2 });
  await poll(() => ran.runs() === 1 || undefined, { timeoutMs: 60_000 });
  await admin.call('POST', '/api/queues/pause', { queue_name: 'low_priority', reason: 'Copy' });
  const queued = await noted('queued', 'true');
  await admin.call('POST', `/api/tasks/${queued.taskId}/execute`, { priority: 'low' });
  let fresh = '';
  const isUntold = (tasks: readonly Document[]) => tasks.find(({ _id }) => _id === fresh)?.outbox.length === 1;
  const copy = await DatabaseCopy.of(MONGODB_URI, 'tasks', {
    collection: 'tasks',
    act: async () => {
      fresh = await createTask(admin, projectId, 'true');
    },
    wanted: isUntold,
  });
  const [ranThen] = copy.of('executions').filter(({ task_id }) => task_id === ran.taskId);
  expect(ranThen).toMatchObject({ status: 'running' });
  // It was told, and the copy does not know.
  expect(isUntold(copy.of('tasks'))).toBe(true);

  // The platform goes on.
  writeFileSync(copied, '');
  await admin.call('POST', '/api/queues/resume', { queue_name: 'low_priority' });
  const later = await noted('later', 'true');
  await execute(admin, later.taskId);
  for (const { taskId } of [ran, queued, later]) await taskWithStatus(admin, taskId, ['completed'], 30_000);
  await poll(() => told('task.created', fresh) > 0 || undefined, { timeoutMs: 60_000 });

  // Still, so that it writes nothing meanwhile; killed, so that it remembers nothing.
  platform.kill('task-service', 'SIGSTOP');
  await copy.restore();
  platform.kill('task-service');
  await platform.ready('task-service');
  const isFound = async () => (await admin.request('GET', '/api/queues/status')).status === 200 || undefined;
  await poll(isFound, { timeoutMs: 60_000, intervalMs: 100 });

  // The queue was paused when the copy was made.
  await admin.call('POST', '/api/queues/resume', { queue_name: 'low_priority' });
  for (const { taskId } of [done, queued, ran]) await taskWithStatus(admin, taskId, ['completed'], 60_000);
  expect([done.runs(), queued.runs(), ran.runs()]).toEqual([1, 2, 2]);
  for (const { taskId } of [done, queued, ran]) {
    const history = await historyOf(taskId);
    expect(new Set(history.map(({ id }) => id)).size).toBe(history.length);
    expect(history.filter(({ details }) => details.new_value === 'completed')).toHaveLength(1);
  }
  expect((await admin.request('GET', `/api/tasks/${later.taskId}`)).status).toBe(404);

  const next = await noted('next', 'true');
  await execute(admin, next.taskId);
  await taskWithStatus(admin, next.taskId, ['completed'], 30_000);
  await poll(() => told('task.completed', next.taskId) > 0 || undefined, { timeoutMs: 60_000 });
  // Told again by the outbox, and known to who delivers it.
  const retold = async () =>
    (await DatabaseCopy.of(MONGODB_URI, 'tasks')).of('tasks').every(({ outbox }) => outbox.length === 0);
  expect(await poll(async () => (await retold()) || undefined, { timeoutMs: 60_000, intervalMs: 500 })).toBe(true);
  expect([told('task.created', fresh), told('task.completed', done.taskId)]).toEqual([1, 1]);
});
