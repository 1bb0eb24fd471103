import { LiveServiceService } from '@claude-cli/proto/platform/v1/live';
import { permissionsOf } from '@claude-cli/shared/caller';
import type { RpcChannel } from '@claude-cli/shared/grpc/client';
import { newId } from '@claude-cli/shared/ids';
import { testChannel } from '@claude-cli/shared/testing/channel';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Platform, type User } from '../testing/platform.ts';

let platform: Platform;
let channel: RpcChannel;
let user: User;
beforeAll(async () => {
  platform = await Platform.start();
  channel = testChannel(platform.service.grpcPort);
  user = platform.user();
});
afterAll(async () => {
  channel.close();
  await platform[Symbol.asyncDispose]();
});

const origin = (signal?: AbortSignal) => ({
  caller: { user_id: user.id, role: 'developer' as const, permissions: permissionsOf.developer },
  requestId: newId(),
  ...(signal ? { signal } : {}),
});
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

interface Told {
  id: string | undefined;
  event: string;
  data: Record<string, unknown>;
}

/** Everything that the stream of a command tells until it ends. */
async function streamOf(command_id: string, since?: string): Promise<Told[]> {
  const told: Told[] = [];
  const request = since === undefined ? { command_id } : { command_id, since };
  for await (const { id, event, data } of await channel.client(LiveServiceService).streamCommand(request, origin())) {
    told.push({ id, event, data: JSON.parse(data).data });
  }
  return told;
}

describe('the stream of a command', () => {
  const ended = (stored: number[], run_id?: string) => {
    const id = newId();
    const pieces = stored.map((sequence) => ({ sequence, content: `${sequence}` }));
    const own = run_id === undefined ? {} : { run_id };
    platform.world.commands.set(id, { user_id: user.id, stored: pieces, status: 'completed', ...own });
    return id;
  };

  test('tells all that was written, and ends with how it ended', async () => {
    const id = ended(range(1, 5));
    const [first, ...rest] = await streamOf(id);
    expect(first).toMatchObject({ id: `${id}:0`, event: 'subscribed', data: { command_id: id, epoch: id, seq: 0 } });
    expect(rest.map((told) => [told.id, told.event])).toEqual([
      ...range(1, 5).map((seq) => [`${id}:${seq}`, 'command_output']),
      [undefined, 'command_finished'],
    ]);
    expect(rest.at(-1)?.data).toEqual({ command_id: id, task_id: null, status: 'completed', exit_code: 0 });
  });

  test('goes on after the last event that the client has', async () => {
    const id = ended(range(1, 5));
    const [first, ...rest] = await streamOf(id, `${id}:3`);
    expect(first?.data).toMatchObject({ seq: 3, recovered: true });
    expect(rest.map((told) => told.id ?? told.event)).toEqual([`${id}:4`, `${id}:5`, 'command_finished']);
    // All of it: just the end is told again.
    expect((await streamOf(id, `${id}:5`)).map(({ event }) => event)).toEqual(['subscribed', 'command_finished']);
  });

  test('begins anew where what the client has is of another run', async () => {
    const id = ended(range(1, 3), 'run-2');
    const [first, ...rest] = await streamOf(id, 'run-1:2');
    expect(first?.data).toMatchObject({ epoch: 'run-2', seq: 0, recovered: false });
    expect(rest.map((told) => told.id ?? told.event)).toEqual(['run-2:1', 'run-2:2', 'run-2:3', 'command_finished']);
  });

  test('goes on live, and ends when the command does', async () => {
    const id = newId();
    platform.world.commands.set(id, { user_id: user.id, stored: [{ sequence: 1, content: '1' }] });
    const told = streamOf(id);
    await until('it to be listened to', () => platform.broker.reaches(`command.output._.${id}`));
    const about = { command_id: id, run_id: id, task_id: null, user_id: user.id };
    const timestamp = new Date().toISOString();
    const pieces = [{ stream: 'stdout' as const, content: '2', timestamp }];
    await platform.tell('command.output', null, { ...about, sequence: 2, pieces });
    const end = { status: 'failed', exit_code: 3 };
    await platform.tell('command.output', null, { ...about, sequence: 3, pieces: [], end });
    const heard = (await told).slice(1);
    expect(heard.map(({ data }) => data.content ?? data.exit_code)).toEqual(['1', '2', 3]);
  });

  test('of a command that does not exist, or is of somebody else, is refused', async () => {
    await expect(streamOf(newId())).rejects.toMatchObject({ code: 'RESOURCE_NOT_FOUND' });
    const foreign = newId();
    platform.world.commands.set(foreign, { user_id: newId() });
    await expect(streamOf(foreign)).rejects.toMatchObject({ code: 'RESOURCE_NOT_FOUND' });
  });
});

test('a stream of which all access is lost ends', async () => {
  const project_id = platform.project(user);
  const wish = { channel: 'task_updates', project_id };
  const events = await channel.client(LiveServiceService).streamEvents(wish, origin());
  platform.world.members.get(project_id)?.delete(user.id);
  const about = { name: 'Shop', status: 'active' as const, changes: [], member_ids: [] };
  await platform.tell('project.updated', project_id, about);
  const told: string[] = [];
  for await (const { event } of events) told.push(event);
  expect(told).toEqual(['subscribed', 'error', 'closing']);
});

test('notifications go on after a place in each of the sequences that they come from', async () => {
  const leave = new AbortController();
  const notify = (user_id: string | null) =>
    platform.tell('notification.created', null, {
      ...{ notification_id: newId(), user_id, kind: 'alert', level: 'info', title: 'x', message: 'x' },
      ...{ actions: [], project_id: null, task_id: null },
    });
  const listen = (since?: string) => {
    const wish = since === undefined ? {} : { since };
    return channel.client(LiveServiceService).streamEvents({ channel: 'notifications', ...wish }, origin(leave.signal));
  };
  const before = (await listen())[Symbol.asyncIterator]();
  const { value: subscribed } = await before.next();
  await notify(user.id);
  await notify(null);
  await before.next();
  await before.next();
  const after = (await listen(subscribed?.id))[Symbol.asyncIterator]();
  const [answer, ...missed] = [await after.next(), await after.next(), await after.next()];
  expect(JSON.parse(answer?.value?.data).data.recovered).toBe(true);
  expect(missed.map(({ value }) => value?.event)).toEqual(['notification', 'notification']);
  leave.abort();
  await Promise.allSettled([before.return?.(), after.return?.()]);
});
