import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Platform } from '../testing/platform.ts';
import { transports } from '../testing/transports.ts';

let platform: Platform;
beforeAll(async () => {
  platform = await Platform.start({ recheckMs: 100 });
});
afterAll(() => platform[Symbol.asyncDispose]());

const notify = (user_id: string | null, kind: 'maintenance' | 'alert' | 'webhook_disabled') =>
  platform.tell('notification.created', null, {
    ...{ notification_id: newId(), user_id, kind, level: 'info', title: kind, message: kind },
    ...{ actions: [], project_id: null, task_id: null },
  });

test.each(transports)('by $name, who does not want a kind does not hear it, live or afterwards', async (transport) => {
  const user = platform.user();
  platform.world.preferences.set(user.id, { maintenance: false });
  const { answer, inbox, leave } = await transport.listen(platform, user, { channel: 'notifications' });
  for (const kind of ['maintenance', 'alert'] as const) await notify(null, kind);
  await notify(user.id, 'webhook_disabled');
  const titles = [await inbox.next(), await inbox.next()].map(({ data }) => data.title);
  expect(titles.sort()).toEqual(['alert', 'webhook_disabled']);
  leave();
  const [also] = answer.data.also as { epoch: string; seq: number }[];
  const since = [{ epoch: answer.data.epoch, seq: answer.data.seq }, also as { epoch: string; seq: number }];
  const back = await transport.listen(platform, user, { channel: 'notifications', since });
  const missed = [await back.inbox.next(), await back.inbox.next()].map(({ data }) => data.title);
  expect(missed.sort()).toEqual(['alert', 'webhook_disabled']);
  back.leave();
});

test('what is not wanted any more is left out before long', async () => {
  const user = platform.user();
  const client = await platform.signIn(user);
  await client.ask({ type: 'subscribe', channel: 'notifications' });
  await notify(null, 'alert');
  await client.next('notification');
  platform.world.preferences.set(user.id, { alert: false });
  platform.service.ctx.preferences.clear();
  const [connection] = platform.service.ctx.connections.ofUser(user.id);
  await until('it to be learned', () => connection?.unwanted.has('alert'));
  await notify(null, 'alert');
  await notify(user.id, 'webhook_disabled');
  await notify(null, 'maintenance');
  const heard = await client.take(2);
  expect(heard.map(({ data }) => data.kind).sort()).toEqual(['maintenance', 'webhook_disabled']);
  client.socket.terminate();
});
