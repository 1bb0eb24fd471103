import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Client, Received } from '../testing/client.ts';
import { facts, Platform, type Replica, type User } from '../testing/platform.ts';

let platform: Platform;
let other: Replica;
let user: User;
beforeAll(async () => {
  platform = await Platform.start();
  other = await platform.startReplica();
  user = platform.user();
});
afterAll(async () => {
  await other[Symbol.asyncDispose]();
  await platform[Symbol.asyncDispose]();
});

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const subscribe = (client: Client, request: Record<string, unknown>) => client.ask({ type: 'subscribe', ...request });
const placeOf = ({ epoch, seq }: Received) => ({ epoch, seq });
const tell = async (project_id: string, numbers: number[], task_id = newId()) => {
  for (const n of numbers) await platform.tell('task.updated', project_id, facts(task_id, { progress_percentage: n }));
};

describe('a client that comes back', () => {
  test('at another replica hears just what it missed, then what happens', async () => {
    const project_id = platform.project(user);
    const before = await platform.signIn(user);
    const { data } = await subscribe(before, { channel: 'task_updates', project_id });
    expect(data).toEqual({ channel: 'task_updates', project_id, epoch: expect.any(String), seq: 0 });
    await tell(project_id, range(1, 10));
    const heard = await before.take(10);
    before.socket.terminate();
    await tell(project_id, range(11, 130));

    const after = await platform.signIn(user, other);
    const since = placeOf(heard.at(-1) as Received);
    const answer = await subscribe(after, { channel: 'task_updates', project_id, since });
    expect(answer.data).toEqual({ channel: 'task_updates', project_id, ...since, recovered: true });
    await tell(project_id, range(131, 140));
    const rest = await after.take(130);
    expect(rest.map(({ data }) => data.progress_percentage)).toEqual(range(11, 140));
    expect(rest.map(({ seq }) => seq)).toEqual(range(11, 140));
    after.socket.terminate();
  });

  test('finds what it missed after all of the service was restarted', async () => {
    await using alone = await Platform.start();
    const own = alone.user();
    const project_id = alone.project(own);
    const before = await alone.signIn(own);
    const { data } = await subscribe(before, { channel: 'project_updates', project_id });
    await alone.service[Symbol.asyncDispose]();
    await alone.tell('task.updated', project_id, facts(newId()));
    await using restarted = await alone.startReplica();
    const after = await alone.signIn(own, restarted);
    const answer = await subscribe(after, {
      channel: 'project_updates',
      project_id,
      since: { epoch: data.epoch, seq: 0 },
    });
    expect(answer.data.recovered).toBe(true);
    expect(await after.next()).toMatchObject({ type: 'task_update', seq: 1 });
    after.socket.terminate();
  });

  test('hears of one task what it missed of that task', async () => {
    const project_id = platform.project(user);
    const [mine, neighbour] = [platform.task(project_id), platform.task(project_id)];
    const client = await platform.signIn(user);
    const { data } = await subscribe(client, { channel: 'task_updates', task_id: mine });
    await client.ask({ type: 'unsubscribe', channel: 'task_updates', task_id: mine });
    await tell(project_id, [1], mine);
    await tell(project_id, [2, 3], neighbour);
    await tell(project_id, [4], mine);
    const { logStore } = platform.service.ctx;
    await until('all to be logged', async () => (await logStore.head(`project:${project_id}`)).seq === 4);
    await subscribe(client, { channel: 'task_updates', task_id: mine, since: { epoch: data.epoch, seq: data.seq } });
    expect((await client.take(2)).map(({ seq }) => seq)).toEqual([1, 4]);
    expect(await client.settled()).toEqual([]);
    client.socket.terminate();
  });

  test('is told to reload when what it missed is not there any more, or was never', async () => {
    const project_id = platform.project(user);
    const client = await platform.signIn(user);
    const { data } = await subscribe(client, { channel: 'task_updates', project_id });
    await tell(project_id, range(1, 5));
    await client.take(5);
    const { logStore } = platform.service.ctx;
    await logStore.trim(`project:${project_id}`, String(data.epoch), 2);
    const back = await platform.signIn(user, other);
    const recovered = async (since: Record<string, unknown>) => {
      const answer = await subscribe(back, { channel: 'task_updates', project_id, since });
      expect(await back.settled()).toHaveLength(answer.data.recovered ? 5 - Number(answer.data.seq) : 0);
      return answer.data.recovered;
    };
    expect(await recovered({ epoch: data.epoch, seq: 1 })).toBe(false);
    expect(await recovered({ epoch: newId(), seq: 3 })).toBe(false);
    expect(await recovered({ epoch: data.epoch, seq: 99 })).toBe(false);
    expect(await recovered({ epoch: data.epoch, seq: 5 })).toBe(true);
    expect(await recovered({ epoch: data.epoch, seq: 2 })).toBe(true);
    // It hears what happens, recovered or not.
    await tell(project_id, [6]);
    expect((await back.next()).seq).toBe(6);
    for (const each of [client, back]) each.socket.terminate();
  });

  test('with several subscriptions that overlap hears each message once', async () => {
    const project_id = platform.project(user);
    const task_id = platform.task(project_id);
    const before = await platform.signIn(user);
    const { data } = await subscribe(before, { channel: 'task_updates', project_id });
    before.socket.terminate();
    await tell(project_id, range(1, 30), task_id);
    const { logStore } = platform.service.ctx;
    await until('all to be logged', async () => (await logStore.head(`project:${project_id}`)).seq === 30);
    const after = await platform.signIn(user);
    const since = { epoch: data.epoch, seq: 0 };
    after.send({ type: 'subscribe', channel: 'task_updates', project_id, since });
    after.send({ type: 'subscribe', channel: 'task_updates', task_id, since });
    after.send({ type: 'subscribe', channel: 'project_updates', project_id, since });
    await tell(project_id, range(31, 40), task_id);
    const heard = await after.take(43);
    const numbers = heard.flatMap(({ seq }) => seq ?? []);
    expect(numbers.toSorted((a, b) => a - b)).toEqual(range(1, 40));
    after.socket.terminate();
  });

  test('shares what it reads with all who come back at the same time', async () => {
    const project_id = platform.project(user);
    const clients = await Promise.all(Array.from({ length: 40 }, () => platform.signIn(user, other)));
    const first = await platform.signIn(user);
    const { data } = await subscribe(first, { channel: 'task_updates', project_id });
    await tell(project_id, range(1, 250));
    await first.take(250);
    const before = other.ctx.blocks.reads;
    const since = { epoch: data.epoch, seq: 0 };
    for (const client of clients) client.send({ type: 'subscribe', channel: 'task_updates', project_id, since });
    for (const client of clients) expect((await client.take(251)).at(-1)?.seq).toBe(250);
    // Three blocks; the last one, which is not full, perhaps once more.
    expect(other.ctx.blocks.reads - before).toBeLessThan(8);
    for (const client of [first, ...clients]) client.socket.terminate();
  });
});

describe('notifications', () => {
  const notify = (user_id: string | null, title: string) =>
    platform.tell('notification.created', null, {
      ...{ notification_id: newId(), user_id, kind: 'alert', level: 'info', title, message: title },
      ...{ actions: [{ label: 'Dismiss', action: 'dismiss' as const }], project_id: null, task_id: null },
    });

  test('reach whom they are for, or everybody, and are caught up with by both places', async () => {
    const [me, stranger] = [platform.user(), platform.user()];
    const client = await platform.signIn(me);
    const { data } = await subscribe(client, { channel: 'notifications' });
    expect(data).toMatchObject({ channel: 'notifications', also: [{ epoch: expect.any(String) }] });
    await notify(stranger.id, 'not for me');
    await notify(me.id, 'mine');
    await notify(null, 'for all');
    const heard = await client.take(2);
    expect(heard.map(({ data }) => data.title).sort()).toEqual(['for all', 'mine']);
    expect(heard[0]).toMatchObject({ type: 'notification', data: { level: 'info', actions: [{ action: 'dismiss' }] } });
    client.socket.terminate();

    const [also] = data.also as { epoch: string; seq: number }[];
    const back = await platform.signIn(me, other);
    const since = [{ epoch: data.epoch, seq: data.seq }, also];
    const answer = await subscribe(back, { channel: 'notifications', since });
    expect(answer.data.recovered).toBe(true);
    expect((await back.take(2)).map(({ data }) => data.title).sort()).toEqual(['for all', 'mine']);
    const one = await subscribe(back, { channel: 'notifications', since: since[0] });
    expect(one.data.recovered).toBe(false);
    back.socket.terminate();
  });
});
