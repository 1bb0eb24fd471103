import { once } from 'node:events';
import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client } from '../testing/client.ts';
import { Platform, type User } from '../testing/platform.ts';

let platform: Platform;
let user: User;
beforeAll(async () => {
  platform = await Platform.start({ authenticateMs: 1_500 });
});
afterAll(() => platform[Symbol.asyncDispose]());

describe('signing in', () => {
  test('a token and a session of the same user are accepted, and the request id travels on', async () => {
    user = platform.user();
    const client = await platform.connect(user.session, { 'x-request-id': 'from-the-gateway' });
    client.send({ type: 'authenticate', token: platform.token(user) });
    const answer = await client.next();
    expect(answer).toEqual({
      type: 'authenticated',
      data: { session_id: user.session, user_id: user.id, expires_at: expect.stringMatching(/^\d{4}-.*Z$/) },
      timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    expect(platform.world.calls).toContain('touchSession from-the-gateway');
    client.socket.close();
  });

  test('a request id that looks odd is replaced', async () => {
    const other = platform.user();
    const client = await platform.connect(other.session, { 'x-request-id': 'odd {id}' });
    await client.ask({ type: 'authenticate', token: platform.token(other) });
    expect(platform.world.calls.some((call) => call.includes('odd'))).toBe(false);
    client.socket.close();
  });

  test('who does not sign in in time is closed with 4401, and may ping before', async () => {
    const client = await platform.connect(newId());
    client.send({ type: 'ping', timestamp: 1690725600000 });
    expect(await client.next()).toEqual({ type: 'pong', timestamp: 1690725600000 });
    const refused = await client.ask({ type: 'subscribe', channel: 'project_updates', project_id: newId() });
    expect(refused.data.code).toBe('AUTH_TOKEN_MISSING');
    expect(client.socket.readyState).toBe(client.socket.OPEN);
    expect((await client.next()).data.code).toBe('AUTH_TOKEN_MISSING');
    expect(await client.closed).toBe(4401);
  });

  test('a token that we did not sign is refused and the connection closed with 4401', async () => {
    const client = await platform.connect(newId());
    const answer = await client.ask({ type: 'authenticate', token: 'not.a.token' });
    expect(answer).toMatchObject({ type: 'error', data: { code: 'AUTH_TOKEN_INVALID', details: {} } });
    expect(await client.closed).toBe(4401);
  });

  test('who goes while signing in is not counted, neither for the process nor for the user', async () => {
    await using alone = await Platform.start();
    const { accounts, connections } = alone.service.ctx;
    const asked = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    const ofToken = accounts.ofToken.bind(accounts);
    accounts.ofToken = async (...args) => {
      asked.resolve();
      await gone.promise;
      return ofToken(...args);
    };
    const leaving = alone.user();
    const client = await alone.connect(leaving.session);
    client.send({ type: 'authenticate', token: alone.token(leaving) });
    await asked.promise;
    client.socket.terminate();
    await until('it to be gone', () => connections.size === 0);
    gone.resolve();
    await until('it to be signed in', () => alone.world.calls.some((call) => call.startsWith('touchSession')));
    expect(connections.size).toBe(0);
    expect(connections.ofUser(leaving.id)).toEqual([]);
  });

  test('a user whose account is disabled is refused and the connection closed with 4403', async () => {
    const disabled = platform.user();
    platform.world.disabled.add(disabled.id);
    const client = await platform.connect(disabled.session);
    const answer = await client.ask({ type: 'authenticate', token: platform.token(disabled) });
    expect(answer.data.code).toBe('AUTH_ACCOUNT_DISABLED');
    expect(await client.closed).toBe(4403);
  });

  test('a user whose account is disabled, or given another role, later is told so and the connection closed', async () => {
    const [disabled, promoted, other] = [platform.user(), platform.user(), platform.user()];
    const clients = await Promise.all([disabled, promoted, other].map((each) => platform.signIn(each)));
    platform.world.disabled.add(disabled.id);
    platform.world.roles.set(promoted.id, 'admin');
    const facts = { username: 'somebody', role: 'developer', status: 'active', token_version: 0 } as const;
    for (const { id } of [disabled, promoted, other])
      await platform.tell('user.updated', null, { ...facts, user_id: id });
    expect((await clients[0]?.next())?.data.code).toBe('AUTH_ACCOUNT_DISABLED');
    expect(await clients[0]?.closed).toBe(4403);
    expect((await clients[1]?.next())?.data.code).toBe('AUTH_TOKEN_INVALID');
    expect(await clients[1]?.closed).toBe(4401);
    expect(clients[2]?.socket.readyState).toBe(clients[2]?.socket.OPEN);
    clients[2]?.socket.close();
  });

  test('an API key that is not known is refused and the connection closed with 4401', async () => {
    const client = await platform.connect(newId());
    const answer = await client.ask({ type: 'authenticate', token: 'ccp_unknown' });
    expect(answer.data.code).toBe('AUTH_TOKEN_INVALID');
    expect(await client.closed).toBe(4401);
  });

  test('a session of somebody else is refused and the connection closed with 4403', async () => {
    const [owner, thief] = [platform.user(), platform.user()];
    const client = await platform.connect(owner.session);
    const answer = await client.ask({ type: 'authenticate', token: platform.token(thief) });
    expect(answer.data.code).toBe('RESOURCE_NOT_FOUND');
    expect(await client.closed).toBe(4403);
  });

  test('when the token expires the connection is closed with 4401', async () => {
    const other = platform.user();
    const client = await platform.connect(other.session);
    await client.ask({ type: 'authenticate', token: platform.token(other, { expiresIn: 1 }) });
    expect((await client.next('error')).data.code).toBe('AUTH_TOKEN_INVALID');
    expect(await client.closed).toBe(4401);
  });

  test('a newer token of the same user keeps the connection open', async () => {
    const other = platform.user();
    const [renewing, watching] = [await platform.connect(other.session), await platform.connect(other.session)];
    const short = platform.token(other, { expiresIn: 1 });
    await renewing.ask({ type: 'authenticate', token: short });
    const renewed = await renewing.ask({ type: 'authenticate', token: platform.token(other) });
    expect(renewed.type).toBe('authenticated');
    await watching.ask({ type: 'authenticate', token: platform.token(other, { expiresIn: 2 }) });
    expect(await watching.closed).toBe(4401);
    expect(await renewing.settled()).toEqual([]);
    renewing.socket.close();
  });

  test('a token of another user ends the connection', async () => {
    const [first, second] = [platform.user(), platform.user()];
    const client = await platform.signIn(first);
    const answer = await client.ask({ type: 'authenticate', token: platform.token(second) });
    expect(answer.data.code).toBe('AUTH_TOKEN_INVALID');
    expect(await client.closed).toBe(4401);
  });

  test('a session that is closed elsewhere closes its connections with 4403', async () => {
    const other = platform.user();
    const client = await platform.signIn(other);
    await platform.tell('session.closed', null, { session_id: other.session, user_id: other.id });
    expect(await client.closed).toBe(4403);
  });
});

describe('how many may connect', () => {
  test('a user has at most 50 connections, and one that closes makes room', async () => {
    const busy = platform.user();
    const clients = await Promise.all(Array.from({ length: 50 }, () => platform.signIn(busy)));
    expect(platform.service.ctx.connections.size).toBeGreaterThanOrEqual(50);
    const tooMany = await platform.connect(busy.session);
    const answer = await tooMany.ask({ type: 'authenticate', token: platform.token(busy) });
    expect(answer.data).toMatchObject({ code: 'RESOURCE_LIMIT_EXCEEDED', details: { limit: 50 } });
    expect(await tooMany.closed).toBe(4429);

    clients[0]?.socket.close();
    await clients[0]?.closed;
    const next = await platform.signIn(busy);
    for (const client of [next, ...clients]) client.socket.terminate();
  });

  test('a path without a UUID is not found', async () => {
    const client = new Client(platform.url('not-a-uuid'));
    const [, response] = await once(client.socket, 'unexpected-response');
    expect(response.statusCode).toBe(404);
    response.destroy();
    const plain = await fetch(`http://127.0.0.1:${platform.service.ctx.port}/ws/${newId()}`);
    expect(plain.status).toBe(426);
  });
});
