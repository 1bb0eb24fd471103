import { newId } from '@claude-cli/shared/ids';
import { expect, test } from '@jest/globals';
import { facts, Platform } from '../testing/platform.ts';

test('a client that reads slowly misses output, is told how much, and misses nothing else', async () => {
  await using platform = await Platform.start();
  const user = platform.user();
  const project_id = platform.project(user);
  const task_id = platform.task(project_id);
  const slow = await platform.signIn(user);
  const quick = await platform.signIn(user);
  for (const client of [slow, quick]) await client.ask({ type: 'subscribe', channel: 'task_updates', project_id });

  slow.socket.pause();
  const content = 'x'.repeat(256 * 1024);
  const sent = 80;
  for (let line = 0; line < sent; line++) await platform.output(project_id, task_id, newId(), content);
  await platform.tell('task.deleted', project_id, facts(task_id));
  // Who reads gets everything, however slow others are.
  expect((await quick.take(sent + 1)).at(-1)?.type).toBe('task_update');

  slow.socket.resume();
  const received = [await slow.next()];
  while (received.at(-1)?.type !== 'gap') received.push(await slow.next());
  const outputs = received.filter(({ type }) => type === 'command_output').length;
  expect(received.at(-1)?.data).toEqual({ dropped: sent - outputs, channel: 'command_output' });
  expect(received.some(({ type }) => type === 'task_update')).toBe(true);
  expect(outputs).toBeLessThan(sent);

  await platform.output(project_id, task_id, newId(), 'live again');
  expect((await slow.next()).data.content).toBe('live again');
});

test('a client that lets even more pile up is disconnected', async () => {
  await using platform = await Platform.start({ dropOutputBytes: 1e9, disconnectBytes: 1_048_576, closeMs: 20_000 });
  const user = platform.user();
  const project_id = platform.project(user);
  const stuck = await platform.signIn(user);
  const quick = await platform.signIn(user);
  for (const client of [stuck, quick]) await client.ask({ type: 'subscribe', channel: 'task_updates', project_id });
  stuck.socket.pause();
  const content = 'x'.repeat(256 * 1024);
  for (let line = 0; line < 80; line++) await platform.output(project_id, null, newId(), content);
  await quick.take(80);
  stuck.socket.resume();
  expect(await stuck.closed).toBe(4408);
});
