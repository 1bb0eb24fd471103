import { newId } from '@claude-cli/shared/ids';
import { metrics } from '@claude-cli/shared/telemetry/metrics';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Received } from '../testing/client.ts';
import { facts, Platform, type Replica } from '../testing/platform.ts';
import { talkingTransports, transports } from '../testing/transports.ts';

let platform: Platform;
let other: Replica;
beforeAll(async () => {
  platform = await Platform.start({ authenticateMs: 3_000, connectionsPerUser: 3 });
  other = await platform.startReplica();
});
afterAll(async () => {
  await other[Symbol.asyncDispose]();
  await platform[Symbol.asyncDispose]();
});

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const tell = async (project_id: string, numbers: number[]) => {
  for (const n of numbers) await platform.tell('task.updated', project_id, facts(newId(), { progress_percentage: n }));
};
const numbersIn = (messages: Received[]) => messages.map(({ data }) => data.progress_percentage);

const labels: Record<string, string> = { WebSocket: 'websocket', 'Socket.IO': 'socketio', 'server-sent events': 'sse' };

/** What the metrics say of connections, by transport. */
async function connected(): Promise<Record<string, number>> {
  const { values } = (await metrics.getSingleMetric('live_connections')?.get()) ?? { values: [] };
  return Object.fromEntries(values.map(({ labels, value }) => [labels.transport, value]));
}

const countOf = (counts: Record<string, number>, { name }: { name: string }) =>
  counts[labels[name] ?? ''] ?? Number.NaN;

describe.each(transports)('by $name, a client', (transport) => {
  test('hears what happens in its project, in order, numbered', async () => {
    const user = platform.user();
    const project_id = platform.project(user);
    const { answer, inbox, leave } = await transport.listen(platform, user, { channel: 'task_updates', project_id });
    expect(answer.type).toBe('subscribed');
    expect(answer.data).toEqual({ channel: 'task_updates', project_id, epoch: expect.any(String), seq: 0 });
    await tell(project_id, range(1, 5));
    const heard = await inbox.take(5);
    expect(heard.map(({ type, seq, epoch }) => [type, seq, epoch])).toEqual(
      range(1, 5).map((seq) => ['task_update', seq, answer.data.epoch]),
    );
    leave();
  });

  test('is counted as one of its transport while it is there', async () => {
    const user = platform.user();
    const project_id = platform.project(user);
    const isCounted = (count: number) =>
      until(`there are ${count}`, async () => countOf(await connected(), transport) === count);
    // Others of earlier tests are leaving.
    await isCounted(0);
    const { leave } = await transport.listen(platform, user, { channel: 'task_updates', project_id });
    await isCounted(1);
    leave();
    await isCounted(0);
  });

  test('is refused what belongs to others', async () => {
    const [user, owner] = [platform.user(), platform.user()];
    const project_id = platform.project(owner);
    const { answer, leave } = await transport.listen(platform, user, { channel: 'task_updates', project_id });
    expect(answer).toMatchObject({ type: 'error', data: { code: 'PROJECT_ACCESS_DENIED' } });
    leave();
  });

  test('that comes back at another replica hears just what it missed, then what happens', async () => {
    const user = platform.user();
    const project_id = platform.project(user);
    const wish = { channel: 'task_updates', project_id };
    const before = await transport.listen(platform, user, wish);
    await tell(project_id, range(1, 3));
    const last = (await before.inbox.take(3)).at(-1);
    before.leave();
    await tell(project_id, range(4, 130));
    const since = [{ epoch: last?.epoch, seq: last?.seq }];
    const after = await transport.listen(platform, user, { ...wish, since }, { replica: other });
    expect(after.answer.data).toMatchObject({ epoch: last?.epoch, seq: 3, recovered: true });
    await tell(project_id, range(131, 135));
    expect(numbersIn(await after.inbox.take(132))).toEqual(range(4, 135));
    after.leave();
  });

  test('is told to reload where what it missed is not known', async () => {
    const user = platform.user();
    const project_id = platform.project(user);
    const since = [{ epoch: newId(), seq: 7 }];
    const wish = { channel: 'task_updates', project_id, since };
    const { answer, inbox, leave } = await transport.listen(platform, user, wish);
    expect(answer.data.recovered).toBe(false);
    await tell(project_id, [1]);
    expect(numbersIn(await inbox.take(1))).toEqual([1]);
    leave();
  });

  test('hears the output of a command from its beginning to its end', async () => {
    const user = platform.user();
    const command_id = newId();
    const stored = range(1, 20).map((sequence) => ({ sequence, content: `${sequence}` }));
    platform.world.commands.set(command_id, { user_id: user.id, stored, status: 'completed' });
    const since = [{ epoch: command_id, seq: 0 }];
    const wish = { channel: 'command_output', command_id, since };
    const { inbox, leave } = await transport.listen(platform, user, wish);
    const heard = await inbox.take(21);
    expect(heard.map(({ seq }) => seq)).toEqual(range(1, 21));
    expect(heard.at(-1)?.type).toBe('command_finished');
    leave();
  });

  test('that does not read misses output and is told which, and misses nothing else', async () => {
    const user = platform.user();
    const project_id = platform.project(user);
    const wish = { channel: 'task_updates', project_id };
    const limits = { dropOutputBytes: 65_536, disconnectBytes: 4_194_304 };
    await using replica = await platform.startReplica(limits);
    const slow = await transport.listen(platform, user, wish, { replica });
    const quick = await transport.listen(platform, user, wish, { replica });
    slow.pause();
    const command_id = newId();
    const content = 'x'.repeat(128 * 1024);
    const sent = 80;
    for (let piece = 0; piece < sent; piece++) {
      await platform.output(project_id, newId(), command_id, content);
      // Who reads gets everything, however slow others are.
      expect((await quick.inbox.next()).seq).toBe(piece + 1);
    }
    await platform.tell('task.deleted', project_id, facts(newId()));
    slow.resume();
    const received = [await slow.inbox.next()];
    while (received.at(-1)?.type !== 'task_update') received.push(await slow.inbox.next());
    const outputs = received.filter(({ type }) => type === 'command_output').length;
    const gaps = received.filter(({ type }) => type === 'gap');
    expect(gaps.map(({ data }) => data)).toEqual([
      expect.objectContaining({ command_id, dropped: sent - outputs, from: outputs + 1, to: sent }),
    ]);
    expect(outputs).toBeLessThan(sent);
    slow.leave();
    quick.leave();
  });

  test('that lets even more pile up is disconnected with 4408', async () => {
    const user = platform.user();
    const project_id = platform.project(user);
    await using replica = await platform.startReplica({
      dropOutputBytes: 1e9,
      disconnectBytes: 1_048_576,
      closeMs: 20_000,
    });
    const wish = { channel: 'task_updates', project_id };
    const stuck = await transport.listen(platform, user, wish, { replica });
    const quick = await transport.listen(platform, user, wish, { replica });
    stuck.pause();
    for (let piece = 0; piece < 80; piece++) {
      await platform.output(project_id, null, newId(), 'x'.repeat(128 * 1024));
      await quick.inbox.next();
    }
    stuck.resume();
    expect(await stuck.inbox.ended).toBe(4408);
    quick.leave();
  });

  test('whose account is disabled is told so, and closed', async () => {
    const user = platform.user();
    const project_id = platform.project(user);
    const { inbox } = await transport.listen(platform, user, { channel: 'task_updates', project_id });
    platform.world.disabled.add(user.id);
    const about = { username: 'somebody', role: 'developer', status: 'disabled', token_version: 0 } as const;
    await platform.tell('user.updated', null, { ...about, user_id: user.id });
    expect((await inbox.next('error')).data.code).toBe('AUTH_ACCOUNT_DISABLED');
    expect(await inbox.ended).toBe(4403);
  });

  test('whose token expires is told so, and closed', async () => {
    const user = platform.user();
    const project_id = platform.project(user);
    const wish = { channel: 'task_updates', project_id };
    const { inbox } = await transport.listen(platform, user, wish, { expiresIn: 2 });
    expect((await inbox.next('error')).data.code).toBe('AUTH_TOKEN_INVALID');
    expect(await inbox.ended).toBe(4401);
  });

  test('that is removed from the project is told so', async () => {
    const [user, owner] = [platform.user(), platform.user()];
    const project_id = platform.project(user, owner);
    const { inbox, leave } = await transport.listen(platform, user, { channel: 'task_updates', project_id });
    platform.world.members.get(project_id)?.delete(user.id);
    const about = { name: 'Shop', status: 'active' as const, changes: [] };
    await platform.tell('project.updated', project_id, { ...about, member_ids: [owner.id] });
    expect((await inbox.next('error')).data.code).toBe('PROJECT_ACCESS_DENIED');
    leave();
  });

  test('counts for its user, however it comes, until it leaves', async () => {
    const user = platform.user();
    const project_id = platform.project(user);
    const wish = { channel: 'task_updates', project_id };
    const listeners = await Promise.all(transports.map((each) => each.listen(platform, user, wish)));
    const refused = await transport.listen(platform, user, wish).then(
      ({ answer }) => JSON.stringify(answer),
      (error) => String(error),
    );
    expect(refused).toContain('RESOURCE_LIMIT_EXCEEDED');
    for (const { leave } of listeners) leave();
    const { connections, hub } = platform.service.ctx;
    await until('them to be gone', () => connections.ofUser(user.id).length === 0);
    expect(hub.subscribers().filter(({ origin }) => origin.caller.user_id === user.id)).toEqual([]);
  });

  test('of a replica that stops is asked to come back, and misses nothing', async () => {
    const user = platform.user();
    const project_id = platform.project(user);
    const wish = { channel: 'task_updates', project_id };
    const stopping = await platform.startReplica();
    const before = await transport.listen(platform, user, wish, { replica: stopping });
    await tell(project_id, [1, 2]);
    const last = (await before.inbox.take(2)).at(-1);
    await stopping[Symbol.asyncDispose]();
    expect(await before.inbox.ended).toBe(1012);
    expect(stopping.ctx.connections.size).toBe(0);
    await tell(project_id, [3, 4]);
    const since = [{ epoch: last?.epoch, seq: last?.seq }];
    const after = await transport.listen(platform, user, { ...wish, since }, { replica: other });
    expect(numbersIn(await after.inbox.take(2))).toEqual([3, 4]);
    after.leave();
  });
});

describe.each(talkingTransports)('by $name, a client', (transport) => {
  test('with a token that we did not sign is refused, and closed with 4401', async () => {
    const user = platform.user();
    const { answer, inbox } = await transport.signIn(platform, user.session, 'not.a.token');
    expect(answer).toMatchObject({ type: 'error', data: { code: 'AUTH_TOKEN_INVALID' } });
    expect(await inbox.ended).toBe(4401);
  });

  test('with the session of somebody else is refused, and closed with 4403', async () => {
    const [owner, thief] = [platform.user(), platform.user()];
    const { answer, inbox } = await transport.signIn(platform, owner.session, platform.token(thief));
    expect(answer).toMatchObject({ type: 'error', data: { code: 'RESOURCE_NOT_FOUND' } });
    expect(await inbox.ended).toBe(4403);
  });

  test('that does not sign in is closed with 4401', async () => {
    const { answer, inbox } = await transport.signIn(platform, newId(), undefined);
    expect(answer.data.code).toBe('AUTH_TOKEN_MISSING');
    expect(await inbox.ended).toBe(4401);
  });

  test('that floods is first refused, then closed with 4429; others feel nothing', async () => {
    const [user, bystander] = [platform.user(), platform.user()];
    const project_id = platform.project(bystander);
    const calm = await transport.listen(platform, bystander, { channel: 'task_updates', project_id });
    const pings = range(1, 1_000).map((timestamp) => ({ type: 'ping', timestamp }));
    const inbox = await transport.flood(platform, user, pings);
    expect((await inbox.next('error')).data).toMatchObject({ code: 'RATE_LIMIT_EXCEEDED' });
    expect(await inbox.ended).toBe(4429);
    await tell(project_id, [1]);
    expect(numbersIn(await calm.inbox.take(1))).toEqual([1]);
    calm.leave();
  });

  test('that sends more than 64 KiB at once is closed', async () => {
    const user = platform.user();
    const inbox = await transport.flood(platform, user, [
      { type: 'ping', timestamp: 1, request_id: 'x'.repeat(65_536) },
    ]);
    expect([1006, 1009]).toContain(await inbox.ended);
  });
});
