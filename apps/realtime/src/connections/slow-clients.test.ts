import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { expect, test } from '@jest/globals';
import { facts, Platform } from '../testing/platform.ts';

test('a client that reads slowly misses output, is told which, and misses nothing else', async () => {
  await using platform = await Platform.start();
  const user = platform.user();
  const project_id = platform.project(user);
  const task_id = platform.task(project_id);
  const command = newId();
  const slow = await platform.signIn(user);
  const quick = await platform.signIn(user);
  for (const client of [slow, quick]) await client.ask({ type: 'subscribe', channel: 'task_updates', project_id });

  slow.socket.pause();
  const content = 'x'.repeat(256 * 1024);
  const sent = 80;
  for (let line = 0; line < sent; line++) await platform.output(project_id, task_id, command, content);
  await platform.tell('task.deleted', project_id, facts(task_id));
  // Who reads gets everything, however slow others are.
  expect((await quick.take(sent + 1)).at(-1)?.type).toBe('task_update');

  slow.socket.resume();
  const received = [await slow.next()];
  while (received.at(-1)?.type !== 'task_update') received.push(await slow.next());
  const outputs = received.filter(({ type }) => type === 'command_output');
  const [gap, ...more] = received.filter(({ type }) => type === 'gap');
  expect(more).toEqual([]);
  expect(gap?.data).toEqual({
    channel: 'command_output',
    dropped: sent - outputs.length,
    command_id: command,
    epoch: command,
    from: outputs.length + 1,
    to: sent,
  });
  await platform.output(project_id, task_id, command, 'live again');
  expect(await slow.next()).toMatchObject({ seq: sent + 1, data: { content: 'live again' } });
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

test('100 clients that do not read, in a flood, hold no more than their bounds, and others hear all of it', async () => {
  const stalled = 100;
  const limits = {
    coalesceBytes: 16_384,
    dropOutputBytes: 65_536,
    disconnectBytes: 1_048_576,
    connectionsPerUser: 200,
  };
  await using platform = await Platform.start(limits);
  const user = platform.user();
  const project_id = platform.project(user);
  const command = newId();
  const clients = await Promise.all(Array.from({ length: stalled }, () => platform.signIn(user)));
  for (const client of clients) {
    await client.ask({ type: 'subscribe', channel: 'task_updates', project_id });
    client.socket.pause();
  }
  const reader = await platform.signIn(user);
  await reader.ask({ type: 'subscribe', channel: 'task_updates', project_id });
  const connections = platform.service.ctx.connections.ofUser(user.id);
  const waiting = () => connections.map(({ waitingBytes }) => waitingBytes);

  // Together 32 MiB: a hundred times what one may let wait, and far more than all sockets of the system hold.
  const content = 'x'.repeat(32 * 1024);
  const task = newId();
  let most = 0;
  for (let piece = 1; piece <= 1_000; piece++) {
    await platform.output(project_id, null, command, content);
    if (piece % 20 === 0) await platform.tell('task.progress', project_id, { ...facts(task), execution_id: command });
    most = Math.max(most, ...waiting());
  }
  const heard = await reader.take(1_050);
  expect(heard.filter(({ type }) => type === 'command_output').map(({ seq }) => seq)).toEqual(
    Array.from({ length: 1_000 }, (_, index) => index + 1),
  );
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThan(limits.dropOutputBytes + 34_000);
  expect(waiting().filter((bytes) => bytes > 0)).toHaveLength(stalled);
  for (const client of clients) client.socket.terminate();
  await until('them to be gone', () => platform.service.ctx.connections.size === 1);
});
