import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Client, Received } from '../testing/client.ts';
import { Platform, type User } from '../testing/platform.ts';

let platform: Platform;
let user: User;
beforeAll(async () => {
  platform = await Platform.start();
  user = platform.user();
});
afterAll(async () => platform[Symbol.asyncDispose]());

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const subscribe = (client: Client, request: Record<string, unknown>) => client.ask({ type: 'subscribe', ...request });

describe('the output of a command', () => {
  const command = (stored: number[], own: { status?: 'completed'; run_id?: string } = {}) => {
    const id = newId();
    const texts = stored.map((sequence) => ({ sequence, content: `${sequence}` }));
    platform.world.commands.set(id, { user_id: user.id, stored: texts, ...own });
    return id;
  };
  const written = (id: string, sequence: number) => {
    const timestamp = new Date().toISOString();
    const pieces = [{ stream: 'stdout' as const, content: `${sequence}`, timestamp }];
    const about = { command_id: id, run_id: id, task_id: null, user_id: user.id };
    return platform.tell('command.output', null, { ...about, sequence, pieces });
  };
  const store = (id: string, sequence: number) =>
    platform.world.commands.get(id)?.stored?.push({ sequence, content: `${sequence}` });
  const numbersOf = (messages: Received[]) => messages.map(({ seq }) => seq);

  test('is heard from its beginning to its end, also when it has ended', async () => {
    const command_id = command(range(1, 20), { status: 'completed' });
    const client = await platform.signIn(user);
    const answer = await subscribe(client, { channel: 'command_output', command_id, since: { seq: 0 } });
    expect(answer.data).toEqual({ channel: 'command_output', command_id, epoch: command_id, seq: 0, recovered: true });
    const heard = await client.take(21);
    expect(numbersOf(heard)).toEqual(range(1, 21));
    expect(heard.at(-1)).toMatchObject({
      type: 'command_finished',
      data: { command_id, task_id: null, status: 'completed', exit_code: 0 },
    });
    client.socket.terminate();
  });

  test('goes over from what is stored to what is written without hole or double, however late it is stored', async () => {
    const command_id = command(range(1, 50));
    const client = await platform.signIn(user);
    client.send({ type: 'subscribe', channel: 'command_output', command_id, since: { epoch: command_id, seq: 10 } });
    for (const sequence of range(41, 90)) {
      // Shown at once, stored later.
      await written(command_id, sequence);
      if (sequence > 60) store(command_id, sequence - 10);
    }
    for (const sequence of range(81, 90)) store(command_id, sequence);
    const [answer, ...heard] = await client.take(81);
    expect(answer?.data.recovered).toBe(true);
    expect(numbersOf(heard)).toEqual(range(11, 90));
    expect(heard.map(({ data }) => data.content)).toEqual(range(11, 90).map(String));
    client.socket.terminate();
  });

  test('what was shown before anybody listened, and stored after, is heard though nothing follows it', async () => {
    const command_id = command([1]);
    const client = await platform.signIn(user);
    await subscribe(client, { channel: 'command_output', command_id, since: { epoch: command_id, seq: 0 } });
    expect((await client.next()).seq).toBe(1);
    store(command_id, 2);
    expect((await client.next()).seq).toBe(2);
    client.socket.terminate();
  });

  test('what was not stored is told as a gap', async () => {
    const command_id = command([...range(1, 5), ...range(50, 55)], { status: 'completed' });
    const client = await platform.signIn(user);
    await subscribe(client, { channel: 'command_output', command_id, since: { epoch: command_id, seq: 3 } });
    const heard = await client.take(10);
    expect(heard.map(({ type, seq }) => seq ?? type)).toEqual([4, 5, 'gap', ...range(50, 56)]);
    expect(heard[2]?.data).toEqual({
      channel: 'command_output',
      dropped: 44,
      command_id,
      epoch: command_id,
      from: 6,
      to: 49,
    });
    client.socket.terminate();
  });

  test('of another run is not recovered; that of the next run is heard from its beginning', async () => {
    const command_id = command(range(1, 3), { run_id: 'run-2' });
    const client = await platform.signIn(user);
    const since = { epoch: 'run-1', seq: 2 };
    const answer = await subscribe(client, { channel: 'command_output', command_id, since });
    expect(answer.data).toMatchObject({ epoch: 'run-2', seq: 3, recovered: false });
    platform.world.commands.set(command_id, {
      user_id: user.id,
      run_id: 'run-3',
      stored: [{ sequence: 1, content: 'first of the third' }],
    });
    const pieces = [{ stream: 'stdout' as const, content: 'second of the third', timestamp: 'now' }];
    const about = { command_id, run_id: 'run-3', task_id: null, user_id: user.id };
    await platform.tell('command.output', null, { ...about, sequence: 2, pieces });
    const heard = await client.take(2);
    expect(heard.map(({ epoch, seq, data }) => [epoch, seq, data.content])).toEqual([
      ['run-3', 1, 'first of the third'],
      ['run-3', 2, 'second of the third'],
    ]);
    client.socket.terminate();
  });

  test('of many commands is not recovered, and a hole in what the broker sends is told', async () => {
    const project_id = platform.project(user);
    const command_id = newId();
    const client = await platform.signIn(user);
    const answer = await subscribe(client, {
      channel: 'command_output',
      project_id,
      since: { epoch: newId(), seq: 1 },
    });
    expect(answer.data).toEqual({ channel: 'command_output', project_id, recovered: false });
    const about = { command_id, run_id: command_id, task_id: null, user_id: user.id };
    const pieces = [{ stream: 'stdout' as const, content: 'x', timestamp: 'now' }];
    for (const sequence of [1, 4]) await platform.tell('command.output', project_id, { ...about, sequence, pieces });
    const heard = await client.take(3);
    expect(heard.map(({ type, seq }) => seq ?? type)).toEqual([1, 'gap', 4]);
    expect(heard[1]?.data).toMatchObject({ command_id, from: 2, to: 3, dropped: 2 });
    client.socket.terminate();
  });

  test('is heard once and in order by who listens to the command and to its project, also what it missed', async () => {
    const project_id = platform.project(user);
    const command_id = command(range(1, 40));
    Object.assign(platform.world.commands.get(command_id) ?? {}, { project_id });
    const client = await platform.signIn(user);
    await subscribe(client, { channel: 'command_output', project_id });
    const { hub } = platform.service.ctx;
    const held = () => hub.subscribers().flatMap((subscriber) => hub.of(subscriber)).length;
    const before = held();
    client.send({ type: 'subscribe', channel: 'command_output', command_id, since: { seq: 0 } });
    const about = { command_id, run_id: command_id, task_id: null, user_id: user.id };
    for (const sequence of range(31, 60)) {
      const pieces = [{ stream: 'stdout' as const, content: `${sequence}`, timestamp: 'now' }];
      await platform.tell('command.output', project_id, { ...about, sequence, pieces });
      if (sequence > 40) store(command_id, sequence);
      if (sequence === 45) await until('the second subscription', () => held() > before);
    }
    const heard: Received[] = [];
    while (heard.at(-1)?.seq !== 60) heard.push(await client.next());
    const numbers = numbersOf(heard.filter(({ type }) => type === 'command_output'));
    // What came before the second subscription was granted, it heard by the first.
    expect(numbers.slice(numbers.lastIndexOf(1))).toEqual(range(1, 60));
    client.socket.terminate();
  });

  test('is heard once by who listens to the command and to its project', async () => {
    const project_id = platform.project(user);
    const command_id = newId();
    platform.world.commands.set(command_id, { user_id: user.id, project_id, stored: [] });
    const client = await platform.signIn(user);
    await subscribe(client, { channel: 'command_output', project_id });
    await subscribe(client, { channel: 'command_output', command_id });
    for (const text of ['a', 'b', 'c']) await platform.output(project_id, null, command_id, text);
    expect((await client.take(3)).map(({ data }) => data.content)).toEqual(['a', 'b', 'c']);
    expect(await client.settled()).toEqual([]);
    client.socket.terminate();
  });
});
