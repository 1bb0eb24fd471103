import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { facts, Platform } from '../testing/platform.ts';

let platform: Platform;
beforeAll(async () => {
  platform = await Platform.start();
});
afterAll(() => platform[Symbol.asyncDispose]());

test('after the broker was away everything is bound again, what was missed is told, and a gap where it cannot be', async () => {
  const user = platform.user();
  const [before, during] = [platform.project(user), platform.project(user)];
  const client = await platform.signIn(user);
  await client.ask({ type: 'subscribe', channel: 'task_updates', project_id: before });
  platform.broker.cut();
  await until('the broker to be missed', () => !platform.service.ctx.feed.connected);
  await platform.tell('task.updated', before, facts(newId()));
  client.send({ type: 'subscribe', channel: 'project_updates', project_id: during });
  const arrived = [await client.next(), await client.next(), await client.next()];
  expect(arrived).toContainEqual({
    type: 'gap',
    data: { dropped: null, channel: 'command_output' },
    timestamp: expect.any(String),
  });
  expect(arrived.map(({ type }) => type).sort()).toEqual(['gap', 'subscribed', 'task_update']);
  for (const project_id of [before, during]) {
    await platform.tell('task.updated', project_id, facts(newId()));
    expect((await client.next()).type).toBe('task_update');
  }
});

test('a subscription that the broker does not confirm in time is SERVICE_UNAVAILABLE and is not kept', async () => {
  await using alone = await Platform.start({ bindMs: 200 });
  const user = alone.user();
  const client = await alone.signIn(user);
  const project_id = alone.project(user);
  alone.broker.cut();
  await until('the broker to be missed', () => !alone.service.ctx.feed.connected);
  const answer = await client.ask({ type: 'subscribe', channel: 'task_updates', project_id });
  expect(answer.data.code).toBe('SERVICE_UNAVAILABLE');
  await until('the feed to be bound again', () => alone.broker.reaches('session.closed._'));
  expect(await alone.broker.reaches(`project:${project_id}`)).toBe(false);
});
