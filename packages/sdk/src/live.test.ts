import { afterEach, expect, test } from '@jest/globals';
import { LiveConnection } from './live.ts';
import type { WebSocketLike } from './live-socket.ts';
import { Tokens } from './tokens.ts';

type Message = Record<string, unknown> & { type: string };

/** The other side of a connection. */
class FakeSocket implements WebSocketLike {
  static all: FakeSocket[] = [];
  /** What the platform does with a message; nothing by itself. */
  static answer: (socket: FakeSocket, message: Message) => void = () => {};
  readyState = 0;
  readonly sent: Message[] = [];
  readonly #listeners = new Map<string, (event: never) => void>();

  constructor(_url: string) {
    FakeSocket.all.push(this);
    setTimeout(() => {
      this.readyState = 1;
      this.#tell('open', {});
    });
  }
  addEventListener(type: string, listener: (event: never) => void): void {
    this.#listeners.set(type, listener);
  }
  send(text: string): void {
    const message = JSON.parse(text) as Message;
    this.sent.push(message);
    FakeSocket.answer(this, message);
  }
  close(code = 1000, reason = ''): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.#tell('close', { code, reason });
  }
  tell(message: Message): void {
    this.#tell('message', { data: JSON.stringify(message) });
  }
  #tell(type: string, event: object): void {
    this.#listeners.get(type)?.(event as never);
  }
}

/** Answers as the platform does. */
function welcoming(socket: FakeSocket, { type, request_id, ...rest }: Message): void {
  if (type === 'authenticate') socket.tell({ type: 'authenticated', data: { session_id: 's', expires_at: null } });
  if (type === 'subscribe') socket.tell({ type: 'subscribed', data: rest, request_id });
}

let live: LiveConnection;
afterEach(() => {
  live.close();
  FakeSocket.all = [];
});

function connect(tokens: Tokens, attempts = 5): LiveConnection {
  live = new LiveConnection({ url: 'ws://x/ws/s', WebSocket: FakeSocket, tokens, attempts, firstMs: 1, mostMs: 1 });
  return live;
}

const next = (type: string) => new Promise<Record<string, unknown>>((resolve) => live.on(type, resolve));
const socketAt = (index: number) => FakeSocket.all.at(index) as FakeSocket;

test('what was subscribed is subscribed again after the connection was lost, and what waited is asked again', async () => {
  FakeSocket.answer = welcoming;
  connect(new Tokens('t'));
  await live.subscribe('task_updates', { projectId: 'p' });
  FakeSocket.answer = () => {};
  const waiting = live.subscribe('command_output', { commandId: 'c' });
  const executed = live.executeTask('task');
  FakeSocket.answer = welcoming;
  const again = next('reconnected');
  socketAt(0).close(1006);
  await expect(executed).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
  await waiting;
  expect(await again).toEqual({ attempts: 1 });
  const subscribed = socketAt(1).sent.filter(({ type }) => type === 'subscribe');
  expect(subscribed.map(({ channel }) => channel)).toEqual(expect.arrayContaining(['task_updates', 'command_output']));
  expect(socketAt(1).sent.some(({ type }) => type === 'execute_task')).toBe(false);
});

test('after a loss everything goes on where it was, or is to be loaded anew', async () => {
  let recovered: boolean | undefined;
  FakeSocket.answer = (socket, message) => {
    const { type, request_id, since, ...rest } = message;
    if (type !== 'subscribe') return welcoming(socket, message);
    const back = since ? { recovered } : {};
    socket.tell({ type: 'subscribed', data: { ...rest, epoch: 'e', seq: 5, ...back }, request_id });
    // In the same breath as the answer.
    if (!since) for (const seq of [6, 7]) socket.tell({ type: 'task_update', data: {}, epoch: 'e', seq });
  };
  connect(new Tokens('t'));
  await live.subscribe('task_updates', { projectId: 'p' });
  const reloads: unknown[] = [];
  live.on('reload', (what) => reloads.push(what));
  for (recovered of [true, false]) {
    const again = next('reconnected');
    socketAt(-1).close(1006);
    await again;
    const asked = socketAt(-1).sent.find(({ type }) => type === 'subscribe');
    expect(asked).toMatchObject({ project_id: 'p', since: [{ epoch: 'e', seq: 7 }], caught_up: true });
  }
  expect(reloads).toEqual([{ channel: 'task_updates', projectId: 'p' }]);
});

test('a platform that restarts says when to come back', async () => {
  FakeSocket.answer = welcoming;
  connect(new Tokens('t'));
  await next('authenticated');
  const lost = Date.now();
  socketAt(0).close(1012, JSON.stringify({ reason: 'restart', retry_after_ms: 300 }));
  await next('reconnected');
  expect(Date.now() - lost).toBeGreaterThanOrEqual(299);
});

test('a refused token is replaced once, then it is over', async () => {
  const given = ['first', 'second', 'third'];
  FakeSocket.answer = (socket) => socket.close(4401, 'AUTH_TOKEN_INVALID');
  connect(new Tokens(() => String(given.shift())));
  expect(await next('closed')).toEqual({ code: 4401, reason: 'AUTH_TOKEN_INVALID' });
  expect(FakeSocket.all.flatMap(({ sent }) => sent.map(({ token }) => token))).toEqual(['first', 'second']);
});

test.each([4403, 4429])('a close with %i is final', async (code) => {
  FakeSocket.answer = (socket) => socket.close(code, 'no');
  connect(new Tokens('t'));
  const asked = live.subscribe('task_updates', { taskId: 't' });
  expect(await next('closed')).toEqual({ code, reason: 'no' });
  await expect(asked).rejects.toMatchObject({ code: 'CONNECTION_CLOSED', details: { code } });
  expect(FakeSocket.all).toHaveLength(1);
});

test('it is given up after so many failures in a row', async () => {
  FakeSocket.answer = (socket) => socket.close(1006);
  connect(new Tokens('t'), 3);
  await next('closed');
  expect(FakeSocket.all).toHaveLength(3);
});

test('a token that expires is replaced on the open connection', async () => {
  const jwt = (left: number) => `h.${btoa(JSON.stringify({ exp: Date.now() / 1000 + left }))}.s`;
  const given = [jwt(1.2), jwt(3600)];
  const [first, second] = given;
  FakeSocket.answer = welcoming;
  connect(new Tokens(() => String(given.shift())));
  await next('authenticated');
  await next('authenticated');
  expect(socketAt(0).sent.map(({ token }) => token)).toEqual([first, second]);
  expect(FakeSocket.all).toHaveLength(1);
});

test('a refusal is told to who asked and as error, and what nobody waits for harms nobody', async () => {
  FakeSocket.answer = (socket, message) => {
    welcoming(socket, message);
    const data = { code: 'PROJECT_ACCESS_DENIED', message: 'no' };
    if (message.type === 'unsubscribe') socket.tell({ type: 'error', data, request_id: message.request_id });
  };
  connect(new Tokens('t'));
  const told = next('error');
  void live.unsubscribe('task_updates', { projectId: 'p' });
  expect(await told).toEqual({ code: 'PROJECT_ACCESS_DENIED', message: 'no' });
  await expect(live.unsubscribe('task_updates', { projectId: 'p' })).rejects.toMatchObject({
    code: 'PROJECT_ACCESS_DENIED',
  });
});

test('data comes in camel case, what lies deeper as it is', async () => {
  FakeSocket.answer = welcoming;
  connect(new Tokens('t'));
  await next('authenticated');
  const told = next('error');
  socketAt(0).tell({ type: 'error', data: { code: 'X', message: 'x', task_id: 't', details: { exit_code: 127 } } });
  expect(await told).toEqual({ code: 'X', message: 'x', taskId: 't', details: { exit_code: 127 } });
});
