import { newId } from '@claude-cli/shared/ids';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { facts, Platform } from '../testing/platform.ts';

let platform: Platform;
beforeAll(async () => {
  platform = await Platform.start();
});
afterAll(() => platform[Symbol.asyncDispose]());

test('who wants to know is told when all that was missed is sent', async () => {
  const user = platform.user();
  const project_id = platform.project(user);
  const first = await platform.signIn(user);
  const about = { channel: 'task_updates', project_id };
  const { data } = await first.ask({ type: 'subscribe', ...about });
  for (let n = 0; n < 130; n++) await platform.tell('task.updated', project_id, facts(newId()));
  await first.take(130);
  const back = await platform.signIn(user);
  await back.ask({ type: 'subscribe', ...about, since: { epoch: data.epoch, seq: 0 }, caught_up: true });
  const heard = await back.take(131);
  expect(heard.map(({ seq, type }) => seq ?? type)).toEqual([
    ...Array.from({ length: 130 }, (_, n) => n + 1),
    'caught_up',
  ]);
  expect(heard.at(-1)?.data).toEqual(about);
  for (const client of [first, back]) client.socket.terminate();
});

test('that is at once where nothing was missed, and once for what comes from several sequences', async () => {
  const user = platform.user();
  const client = await platform.signIn(user);
  const project_id = platform.project(user);
  for (const about of [
    { channel: 'notifications' },
    { channel: 'queue_status' },
    { channel: 'command_output', project_id },
    { channel: 'project_updates', project_id },
    { channel: 'project_updates', project_id },
  ]) {
    await client.ask({ type: 'subscribe', ...about, caught_up: true });
    expect((await client.settled()).filter(({ type }) => type === 'caught_up').map(({ data }) => data)).toEqual([
      about,
    ]);
  }
  client.socket.terminate();
});
