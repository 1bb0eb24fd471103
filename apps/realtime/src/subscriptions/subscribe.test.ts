import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from '../testing/client.ts';
import { facts, Platform, type User } from '../testing/platform.ts';

let platform: Platform;
let user: User;
let client: Client;
beforeAll(async () => {
  platform = await Platform.start();
  user = platform.user();
  client = await platform.signIn(user);
});
afterAll(() => platform[Symbol.asyncDispose]());

const subscribe = (who: Client, channel: string, target: Record<string, string>) =>
  who.ask({ type: 'subscribe', channel, ...target });

test('a subscription is confirmed and nothing later is missed: updates, output, and the end', async () => {
  const project_id = platform.project(user);
  const task_id = platform.task(project_id);
  const execution_id = newId();
  client.send({ type: 'subscribe', channel: 'task_updates', project_id });
  expect(await client.next()).toEqual({
    type: 'subscribed',
    data: { channel: 'task_updates', project_id, epoch: expect.any(String), seq: 0 },
    timestamp: expect.any(String),
  });
  await platform.tell('task.started', project_id, { ...facts(task_id), execution_id });
  expect((await client.next()).type).toBe('task_update');
  for (let line = 0; line < 50; line++) await platform.output(project_id, task_id, execution_id, `${line}\n`);
  await platform.tell('task.completed', project_id, {
    ...facts(task_id, { status: 'completed', progress_percentage: 100 }),
    execution_id,
    completed_at: '2025-07-30T14:05:00Z',
    duration_ms: 1_000,
    exit_code: 0,
  });
  const messages = await client.take(52);
  expect(messages.map(({ type }) => type)).toEqual([
    ...Array.from({ length: 50 }, () => 'command_output'),
    'task_update',
    'task_completed',
  ]);
  expect(messages.slice(0, 50).map(({ data }) => data.content)).toEqual(Array.from({ length: 50 }, (_, i) => `${i}\n`));
  expect(messages.slice(0, 50).map(({ seq }) => seq)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
});

test('an event that is told twice is heard once', async () => {
  const project_id = platform.project(user);
  const task_id = platform.task(project_id);
  await subscribe(client, 'task_updates', { project_id });
  const event = {
    id: newId(),
    type: 'task.updated' as const,
    time: '',
    actor: '',
    session_id: null,
    project_id,
    version: 1,
  };
  await platform.broker.bus.publishEvent({ ...event, data: facts(task_id) });
  await platform.broker.bus.publishEvent({ ...event, data: facts(task_id) });
  await platform.tell('task.deleted', project_id, facts(task_id, { status: 'pending' }));
  expect((await client.take(2)).map(({ data }) => data.status)).toEqual(['running', 'pending']);
});

test('a task is heard without its neighbours, with its output', async () => {
  const project_id = platform.project(user);
  const [mine, other] = [platform.task(project_id), platform.task(project_id)];
  expect((await subscribe(client, 'task_updates', { task_id: mine })).data).toMatchObject({
    channel: 'task_updates',
    task_id: mine,
  });
  await platform.tell('task.updated', project_id, facts(other));
  await platform.output(project_id, other, newId(), 'other');
  await platform.output(project_id, mine, newId(), 'mine');
  await platform.tell('task.cancelled', project_id, {
    ...facts(mine, { status: 'cancelled' }),
    execution_id: null,
    reason: null,
  });
  const messages = await client.take(2);
  expect(messages.map(({ data }) => data.content ?? data.status)).toEqual(['mine', 'cancelled']);
});

test('project_updates hears of the project besides its tasks', async () => {
  const project_id = platform.project(user);
  await subscribe(client, 'project_updates', { project_id });
  const project = { name: 'Shop', status: 'active' as const, member_ids: [user.id], changes: [] };
  await platform.tell('project.updated', project_id, project);
  await platform.tell('task.created', project_id, { ...facts(newId()), initial_data: {} });
  expect((await client.take(2)).map(({ type }) => type)).toEqual(['project_update', 'task_update']);
});

test('command_output hears output only: of a command of the caller, of an execution, of a task, of a project', async () => {
  const project_id = platform.project(user);
  const task_id = platform.task(project_id);
  const [direct, foreign, execution] = [newId(), newId(), newId()];
  platform.world.commands.set(direct, { user_id: user.id });
  platform.world.commands.set(foreign, { user_id: newId() });
  platform.world.commands.set(execution, { user_id: user.id, task_id, project_id });
  const listener = await platform.signIn(user);

  expect((await subscribe(listener, 'command_output', { command_id: foreign })).data.code).toBe('RESOURCE_NOT_FOUND');
  await subscribe(listener, 'command_output', { command_id: direct });
  await platform.output(null, null, foreign, 'not for you');
  await platform.output(null, null, direct, 'direct');
  expect((await listener.next()).data).toMatchObject({ command_id: direct, content: 'direct', task_id: null });
  expect(await platform.broker.reaches(`command.output._.${foreign}`)).toBe(false);

  for (const target of [{ command_id: execution }, { task_id }, { project_id }]) {
    await subscribe(listener, 'command_output', target);
    await platform.tell('task.updated', project_id, facts(task_id));
    await platform.output(project_id, task_id, execution, Object.keys(target).join());
    expect((await listener.next()).data.content).toBe(Object.keys(target).join());
    await listener.ask({ type: 'unsubscribe', channel: 'command_output', ...target });
  }
  listener.socket.close();
});

test('a message that several subscriptions match is delivered once', async () => {
  const project_id = platform.project(user);
  const task_id = platform.task(project_id);
  await subscribe(client, 'task_updates', { project_id });
  await subscribe(client, 'task_updates', { task_id });
  await subscribe(client, 'project_updates', { project_id });
  await subscribe(client, 'command_output', { task_id });
  await platform.output(project_id, task_id, newId(), 'once');
  await platform.tell('task.updated', project_id, facts(task_id));
  await platform.tell('task.deleted', project_id, facts(task_id, { status: 'cancelled' }));
  expect((await client.take(3)).map(({ data }) => data.content ?? data.status)).toEqual([
    'once',
    'running',
    'cancelled',
  ]);
});

test('a project of others is refused', async () => {
  const foreign = platform.project(platform.user());
  const task_id = platform.task(foreign);
  for (const [channel, target] of [
    ['project_updates', { project_id: foreign }],
    ['task_updates', { task_id }],
    ['command_output', { task_id }],
  ] as const) {
    const answer = await subscribe(client, channel, target);
    expect(answer).toMatchObject({ type: 'error', data: { code: 'PROJECT_ACCESS_DENIED' } });
  }
  expect(await platform.broker.reaches(`project:${foreign}`)).toBe(false);
});

test('the broker sends only what somebody wants, until the last one has gone', async () => {
  const project_id = platform.project(user);
  const key = `project:${project_id}`;
  const second = await platform.signIn(user);
  expect(await platform.broker.reaches(key)).toBe(false);
  await subscribe(client, 'task_updates', { project_id });
  await subscribe(client, 'task_updates', { project_id });
  await subscribe(second, 'project_updates', { project_id });
  expect(await platform.broker.reaches(key)).toBe(true);
  const ended = await client.ask({ type: 'unsubscribe', channel: 'task_updates', project_id });
  expect(ended).toMatchObject({ type: 'unsubscribed', data: { channel: 'task_updates', project_id } });
  await client.ask({ type: 'unsubscribe', channel: 'task_updates', project_id });
  expect(await platform.broker.reaches(key)).toBe(true);
  await second.ask({ type: 'unsubscribe', channel: 'project_updates', project_id });
  expect(await platform.broker.reaches(key)).toBe(false);
  expect(await platform.broker.reaches(`command.output.${project_id}.${newId()}`)).toBe(false);
  second.socket.close();
});

test('a connection that closes takes its bindings with it', async () => {
  const project_id = platform.project(user);
  const leaving = await platform.signIn(user);
  await subscribe(leaving, 'task_updates', { project_id });
  leaving.socket.terminate();
  await until(
    'nothing to be bound to the project',
    async () => !(await platform.broker.reaches(`project:${project_id}`)),
  );
});

test('a subscription above the limit is refused', async () => {
  await using small = await Platform.start({ subscriptionsPerConnection: 2 });
  const somebody = small.user();
  const listener = await small.signIn(somebody);
  const projects = [small.project(somebody), small.project(somebody), small.project(somebody)];
  const answers = [];
  for (const project_id of projects) answers.push(await subscribe(listener, 'task_updates', { project_id }));
  expect(answers.map(({ type, data }) => data.code ?? type)).toEqual([
    'subscribed',
    'subscribed',
    'RESOURCE_LIMIT_EXCEEDED',
  ]);
});
