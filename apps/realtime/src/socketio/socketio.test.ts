import { once } from 'node:events';
import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import type { Received } from '../testing/client.ts';
import { facts, Platform } from '../testing/platform.ts';
import { connectSocketIo } from '../testing/transports.ts';

let platform: Platform;
beforeAll(async () => {
  platform = await Platform.start({ pingMs: 1_000 });
});
afterAll(() => platform[Symbol.asyncDispose]());

async function signedIn() {
  const user = platform.user();
  const auth = { token: platform.token(user), session_id: user.session };
  const connected = connectSocketIo(platform.service, auth);
  expect((await connected.inbox.next()).data).toMatchObject({ session_id: user.session, user_id: user.id });
  const ask = (event: string, payload?: unknown) =>
    new Promise<Received>((resolve) =>
      connected.socket.emit(event, ...(payload === undefined ? [] : [payload]), resolve),
    );
  return { user, ask, ...connected };
}

/** A WebSocket that speaks Engine.IO by hand. */
async function byHand(): Promise<WebSocket> {
  const url = `ws://127.0.0.1:${platform.service.ctx.port}/socket.io/?EIO=4&transport=websocket`;
  const socket = new WebSocket(url);
  await once(socket, 'message');
  return socket;
}

describe('a client of Socket.IO', () => {
  test('has answers as acknowledgements, and events as they are on the WebSocket', async () => {
    const { user, ask, socket, inbox } = await signedIn();
    const project_id = platform.project(user);
    const task_id = platform.task(project_id);
    expect(await ask('ping', { timestamp: 5 })).toEqual({ type: 'pong', timestamp: 5 });
    expect(await ask('execute_task', { task_id, priority: 'high' })).toMatchObject({
      type: 'task_queued',
      data: { task_id, status: 'queued' },
    });
    const subscribed = await ask('subscribe', { channel: 'task_updates', project_id });
    expect(subscribed).toMatchObject({ type: 'subscribed', data: { channel: 'task_updates', project_id } });
    expect((await ask('get_metrics', { metrics: ['performance'] })).type).toBe('performance_data');
    const text = 'Zeichen "aller" Art: ☃ '.repeat(10_000);
    await platform.tell('task.updated', project_id, facts(task_id));
    expect(await inbox.next()).toEqual({
      type: 'task_update',
      data: { task_id, status: 'running', progress_percentage: 45, updated_at: expect.any(String) },
      timestamp: expect.any(String),
      seq: 1,
      epoch: subscribed.data.epoch,
    });
    await platform.output(project_id, task_id, newId(), text);
    expect((await inbox.next()).data.content === text).toBe(true);
    expect((await ask('unsubscribe', { channel: 'task_updates', project_id })).type).toBe('unsubscribed');
    socket.disconnect();
  });

  test('that wants no acknowledgement is answered by an event', async () => {
    const { socket, inbox } = await signedIn();
    socket.emit('ping', { timestamp: 7, request_id: 'a' });
    expect(await inbox.next()).toEqual({ type: 'pong', timestamp: 7, request_id: 'a' });
    socket.emit('dance', {});
    expect((await inbox.next()).data).toMatchObject({ code: 'VALIDATION_ERROR', details: { field: 'type' } });
    socket.disconnect();
  });

  test('that sends what is no message is told what is wrong', async () => {
    const { ask, socket } = await signedIn();
    const codeOf = async (event: string, payload?: unknown) => {
      const { data } = await ask(event, payload);
      return [data.code, (data.details as Record<string, unknown>).field];
    };
    expect(await codeOf('ping', 'now')).toEqual(['VALIDATION_INVALID_FORMAT', 'message']);
    expect(await codeOf('ping', [1])).toEqual(['VALIDATION_INVALID_FORMAT', 'message']);
    expect(await codeOf('ping')).toEqual(['VALIDATION_REQUIRED_FIELD', 'timestamp']);
    expect(await codeOf('ping', { type: 'subscribe' })).toEqual(['VALIDATION_ERROR', 'type']);
    expect(await codeOf('ping', { timestamp: new Uint8Array([1]) })).toEqual([
      'VALIDATION_INVALID_FORMAT',
      'timestamp',
    ]);
    expect(await codeOf('authenticate', { token: 'x', session_id: newId() })).toEqual([
      'VALIDATION_ERROR',
      'session_id',
    ]);
    socket.disconnect();
  });

  test('may sign in by a message that names its session', async () => {
    const user = platform.user();
    const { socket } = connectSocketIo(platform.service, {});
    const ask = (event: string, payload: object) =>
      new Promise<Received>((resolve) => socket.emit(event, payload, resolve));
    const token = platform.token(user);
    expect((await ask('subscribe', { channel: 'notifications' })).data.code).toBe('AUTH_TOKEN_MISSING');
    expect((await ask('authenticate', { token })).data).toMatchObject({ details: { field: 'session_id' } });
    expect((await ask('authenticate', { token, session_id: user.session })).type).toBe('authenticated');
    expect((await ask('authenticate', { token })).type).toBe('authenticated');
    socket.disconnect();
  });

  test('that shakes hands with a wrong token is refused by connect_error', async () => {
    const user = platform.user();
    const { socket } = connectSocketIo(platform.service, { token: 'not.a.token', session_id: user.session });
    const [error] = await once(socket as never, 'connect_error');
    expect(error.data).toMatchObject({ code: 'AUTH_TOKEN_INVALID' });
    expect(socket.active).toBe(false);
  });

  test('that begins by polling is told to use WebSockets', async () => {
    const url = `http://127.0.0.1:${platform.service.ctx.port}`;
    const socket = io(url, { transports: ['polling'], reconnection: false, forceNew: true });
    const [error] = await once(socket as never, 'connect_error');
    expect(error.description).toBe(426);
    socket.disconnect();
    const refused = await fetch(`${url}/socket.io/?EIO=4&transport=polling`);
    expect(await refused.json()).toEqual({ code: 0, message: expect.stringContaining("transports: ['websocket']") });
  });

  test('is pinged, and its round trip is known', async () => {
    const { user, socket } = await signedIn();
    const [connection] = platform.service.ctx.connections.ofUser(user.id);
    await new Promise<void>((resolve) => socket.io.engine.once('heartbeat', resolve));
    await until('the pong to come', () => (connection?.latencyMs ?? 0) > 0);
    socket.disconnect();
  });
});

describe('whoever speaks Engine.IO by hand', () => {
  test('can join once, and no other namespace', async () => {
    const socket = await byHand();
    socket.send('40');
    expect(String((await once(socket, 'message'))[0])).toMatch(/^40/);
    socket.send('40');
    await once(socket, 'close');
    const other = await byHand();
    other.send('40/admin,');
    expect(String((await once(other, 'message'))[0])).toBe('44/admin,{"message":"Invalid namespace"}');
    other.terminate();
  });

  test('is closed when it sends garbage, or does not answer pings', async () => {
    for (const garbage of ['4', '4x', '49[]', '42{"a":1}', '451-["ping",{"_placeholder":true,"num":99}]']) {
      const socket = await byHand();
      socket.send('40');
      await once(socket, 'message');
      socket.send(garbage);
      if (garbage.startsWith('45')) socket.send(Buffer.from('x'));
      await once(socket, 'close');
    }
    const silent = await byHand();
    await once(silent, 'close');
  });

  test('is cut off when it floods with pings of the WebSocket itself', async () => {
    const socket = await byHand();
    for (let ping = 0; ping < 1_000; ping++) socket.ping();
    const [code] = await once(socket, 'close');
    expect(code).toBe(1006);
  });

  test('cannot take over a connection by its id', async () => {
    const socket = new WebSocket(
      `ws://127.0.0.1:${platform.service.ctx.port}/socket.io/?EIO=4&transport=websocket&sid=somebody`,
    );
    const [, response] = await once(socket, 'unexpected-response');
    expect(response.statusCode).toBe(404);
    response.destroy();
  });
});
