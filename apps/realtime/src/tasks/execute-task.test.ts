import { PlatformError } from '@claude-cli/shared/errors';
import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { facts, Platform, type User } from '../testing/platform.ts';

let platform: Platform;
let user: User;
beforeAll(async () => {
  platform = await Platform.start({ subscriptionsPerConnection: 2 });
  user = platform.user();
});
afterAll(() => platform[Symbol.asyncDispose]());

test('who executes a task hears all of it, even what happens before the answer', async () => {
  const project_id = platform.project(user);
  const task_id = platform.task(project_id);
  const client = await platform.signIn(user);
  platform.world.onExecute = async (request) => {
    expect(request).toMatchObject({ task_id, priority: 'high', options: { timeout: 60 } });
    await platform.tell('task.started', project_id, { ...facts(task_id), execution_id: task_id });
    await platform.output(project_id, task_id, task_id, 'early');
  };
  client.send({ type: 'execute_task', task_id, priority: 'high', options: { timeout: 60 } });
  const messages = await client.take(3);
  expect(messages.map(({ type }) => type).sort()).toEqual(['command_output', 'task_queued', 'task_update']);
  expect(messages.find(({ type }) => type === 'task_queued')).toEqual({
    type: 'task_queued',
    data: { task_id, execution_id: task_id, status: 'queued', queue_position: 3 },
    timestamp: expect.any(String),
  });
});

test('a refusal names the task and leaves no subscription behind', async () => {
  const project_id = platform.project(user);
  const task_id = platform.task(project_id);
  const client = await platform.signIn(user);
  platform.world.onExecute = async () => {
    throw new PlatformError('QUEUE_FULL', 'The queue is full', { limit: 1 });
  };
  const answer = await client.ask({ type: 'execute_task', task_id });
  expect(answer.data).toEqual({ code: 'QUEUE_FULL', message: 'The queue is full', task_id, details: { limit: 1 } });
  expect(await platform.broker.reaches(`project:${project_id}`)).toBe(false);
});

test('a viewer may not execute', async () => {
  const viewer = platform.user();
  const task_id = platform.task(platform.project(viewer));
  const client = await platform.connect(viewer.session);
  await client.ask({ type: 'authenticate', token: platform.token(viewer, { role: 'viewer' }) });
  const answer = await client.ask({ type: 'execute_task', task_id });
  expect(answer.data.code).toBe('AUTH_INSUFFICIENT_PERMISSIONS');
});

test('of too many executed tasks the oldest is heard no more, and the client is told', async () => {
  platform.world.onExecute = async () => {};
  const project_id = platform.project(user);
  const client = await platform.signIn(user);
  const tasks = [platform.task(project_id), platform.task(project_id), platform.task(project_id)];
  for (const task_id of tasks) client.send({ type: 'execute_task', task_id });
  const messages = await client.take(4);
  expect(messages.map(({ type, data }) => [type, data.task_id])).toEqual([
    ['task_queued', tasks[0]],
    ['task_queued', tasks[1]],
    ['unsubscribed', tasks[0]],
    ['task_queued', tasks[2]],
  ]);
});

test('nothing is executed during a maintenance', async () => {
  const task_id = platform.task(platform.project(user));
  const client = await platform.signIn(user);
  platform.world.maintenance = { status: 'active', message: 'New disks' };
  await platform.service.ctx.maintenance.look();
  const answer = await client.ask({ type: 'execute_task', task_id });
  expect(answer.data).toMatchObject({ code: 'SYSTEM_MAINTENANCE', message: 'New disks', task_id });
  platform.world.maintenance = { status: 'none' };
  await platform.service.ctx.maintenance.look();
});

test('what was asked for is told to the history of the session', async () => {
  platform.world.onExecute = async () => {};
  platform.world.activities.length = 0;
  const task_id = platform.task(platform.project(user));
  const client = await platform.signIn(user);
  await client.ask({ type: 'execute_task', task_id });
  await until('it is told', () => platform.world.activities.length > 0);
  expect(platform.world.activities).toEqual([
    { session_id: user.session, action: 'message', request: 'execute_task', details: { task_id } },
  ]);
});

test('a task that does not exist cannot be executed', async () => {
  const client = await platform.signIn(user);
  const answer = await client.ask({ type: 'execute_task', task_id: newId() });
  expect(answer.data.code).toBe('TASK_NOT_FOUND');
});
