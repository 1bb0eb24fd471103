import { newEvent } from '@claude-cli/shared/events';
import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { facts, Platform, type Replica } from '../testing/platform.ts';
import type { LogEntry } from './log-store.ts';

let platform: Platform;
beforeAll(async () => {
  platform = await Platform.start();
});
afterAll(() => platform[Symbol.asyncDispose]());

const tellMany = async (project_id: string, count: number, from = 0) => {
  for (let n = from; n < from + count; n++) {
    await platform.tell('task.updated', project_id, facts(newId(), { progress_percentage: n }));
  }
};
const logged = (project: string, { ctx }: Replica = platform.service) =>
  ctx.logStore.models.entries
    .find({ scope: `project:${project}` })
    .sort({ seq: 1 })
    .lean<LogEntry[]>();

test('events are kept with their numbers, whether somebody watches or not', async () => {
  const project = newId();
  await tellMany(project, 20);
  await until('all to be logged', async () => (await logged(project)).length === 20);
  const entries = await logged(project);
  expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  expect(entries.map(({ event }) => 'progress_percentage' in event.data && event.data.progress_percentage)).toEqual(
    Array.from({ length: 20 }, (_, index) => index),
  );
});

test('when the one that numbers is stopped or cut off, the other goes on, and nothing is lost, doubled or renumbered', async () => {
  const user = platform.user();
  const project = platform.project(user);
  const client = await platform.signIn(user);
  await client.ask({ type: 'subscribe', channel: 'task_updates', project_id: project });
  for (let round = 0; round < 4; round++) {
    await using _other = await platform.startReplica();
    const telling = tellMany(project, 50, round * 50);
    await until('some to be logged', async () => (await logged(project)).length > round * 50 + 10);
    platform.broker.cut();
    await telling;
  }
  await until('all to be logged', async () => (await logged(project)).length === 200);
  const entries = await logged(project);
  expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
  const heard = [];
  while (heard.length < 200) {
    const message = await client.next();
    if (message.type === 'task_update') heard.push(message);
  }
  expect(heard.map(({ seq }) => seq)).toEqual(entries.map(({ seq }) => seq));
  expect(heard.map(({ data }) => data.task_id)).toEqual(
    entries.map(({ event }) => 'task_id' in event.data && event.data.task_id),
  );
  client.socket.terminate();
}, 60_000);

test('an event that was stored and not passed on is passed on by the next one, with its number', async () => {
  const user = platform.user();
  const project_id = platform.project(user);
  const client = await platform.signIn(user);
  await client.ask({ type: 'subscribe', channel: 'task_updates', project_id });
  // As if the one before had died between storing and passing on.
  const events = [1, 2].map((n) => {
    const about = { actor: 'test', project_id };
    return newEvent('task.updated', about, facts(newId(), { progress_percentage: n }));
  });
  const stored = await platform.service.ctx.eventLog.add(events, false);
  for (const event of events) await platform.broker.bus.publishEvent(event);
  await platform.tell('task.updated', project_id, facts(newId(), { progress_percentage: 3 }));
  const heard = await client.take(3);
  expect(heard.map(({ seq, data }) => [seq, data.progress_percentage])).toEqual([
    [1, 1],
    [2, 2],
    [3, 3],
  ]);
  expect(stored.map(({ seq }) => seq)).toEqual([1, 2]);
  client.socket.terminate();
});

test('an event that cannot be read does not hold up the others', async () => {
  const project = newId();
  const { bus } = platform.broker;
  await using kept = await bus.openChannel(async () => {});
  kept.current?.publish(bus.names.events, `task.updated.${project}`, Buffer.from('{'));
  kept.current?.publish(bus.names.events, `task.updated.${project}`, Buffer.from('null'));
  await kept.current?.waitForConfirms();
  await tellMany(project, 1);
  await until('it to be logged', async () => (await logged(project)).length === 1);
});

test('an event that cannot be stored is set aside, and neither it nor an odd one holds up the others for long', async () => {
  await using alone = await Platform.start();
  const project_id = newId();
  const { eventLog, logStore } = alone.service.ctx;
  const add = eventLog.add.bind(eventLog);
  eventLog.add = (events, doubtful) => {
    if (events.some(({ actor }) => actor === 'poison')) throw new TypeError('cannot be stored');
    return add(events, doubtful);
  };
  const told = (about: object) => ({
    ...newEvent('task.updated', { actor: 'test', project_id }, facts(newId())),
    ...about,
  });
  const poison = told({ actor: 'poison' });
  for (const event of [told({ time: '' }), poison, told({})]) await alone.broker.bus.publishEvent(event);
  await until('the others to be logged', async () => (await logStore.head(`project:${project_id}`)).seq === 2);
  await using kept = await alone.broker.bus.openChannel(async () => {});
  const { deadLetters } = alone.broker.bus.names;
  const dead = await until('it to be set aside', () => kept.current?.get(deadLetters, { noAck: true }));
  expect(dead.properties.messageId).toBe(poison.id);
});

test('a service that stops has stored how far its scopes have come', async () => {
  await using alone = await Platform.start();
  const project_id = newId();
  await alone.tell('task.updated', project_id, facts(newId()));
  const { logStore } = alone.service.ctx;
  await until('it to be logged', async () => (await logStore.head(`project:${project_id}`)).seq === 1);
  await using second = await alone.startReplica();
  await alone.service[Symbol.asyncDispose]();
  const heads = await second.ctx.logStore.storedHeads([`project:${project_id}`]);
  expect([...heads.values()]).toEqual([{ epoch: expect.any(String), seq: 1 }]);
});
