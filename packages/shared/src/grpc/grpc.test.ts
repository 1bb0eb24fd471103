import { UserServiceService } from '@claude-cli/proto/platform/v1/users';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { anonymous, permissionsOf } from '../caller.ts';
import { PlatformError } from '../errors.ts';
import { createLogger } from '../logger.ts';
import { freePort } from '../testing/free-port.ts';
import { until } from '../testing/until.ts';
import { RpcChannel } from './client.ts';
import type { Origin } from './interceptor.ts';
import { type Call, type RunningGrpcServer, serve, startGrpcServer } from './server.ts';

const origin: Origin = {
  caller: { user_id: 'u1', role: 'developer', permissions: permissionsOf.developer, session_id: 's1' },
  requestId: 'request-1',
};
const calls: Call[] = [];

const { getProfile, getUserNames } = UserServiceService;
const definition = { getProfile, getUserNames };
const users = serve(definition, {
  getProfile: async () => {
    throw new PlatformError('AUTH_ACCOUNT_DISABLED', 'The account is disabled', { since: 'yesterday' });
  },
  getUserNames: async (_: unknown, { user_ids }, call) => {
    calls.push(call);
    if (user_ids[0] === 'crash') throw new TypeError('secret internals');
    if (user_ids[0] === 'slow') await new Promise((resolve) => call.signal?.addEventListener('abort', resolve));
    return { names: Object.fromEntries(user_ids.map((id) => [id, `Name of ${id}`])) };
  },
});

describe('a call between services', () => {
  const log = createLogger('test', 'silent');
  let server: RunningGrpcServer;
  let channel: RpcChannel;
  const client = () => channel.client(definition);

  beforeAll(async () => {
    server = await startGrpcServer({ host: '127.0.0.1', port: 0, services: [users], ctx: {}, log });
    channel = new RpcChannel(`127.0.0.1:${server.port}`);
  });
  afterAll(async () => {
    channel.close();
    await server.stop(1_000);
  });

  test('carries the caller, the request id and a deadline', async () => {
    const before = Date.now();
    const answer = await client().getUserNames({ user_ids: ['a'] }, origin, { deadlineMs: 2_000 });
    expect(answer).toEqual({ names: { a: 'Name of a' } });
    const call = calls.at(-1);
    expect(call?.caller).toEqual(origin.caller);
    expect(call?.requestId).toBe('request-1');
    expect(call?.deadline?.getTime()).toBeLessThanOrEqual(before + 2_500);
  });

  test('brings back an error with its code and details', async () => {
    const call = client().getProfile({}, origin);
    await expect(call).rejects.toMatchObject({ code: 'AUTH_ACCOUNT_DISABLED', details: { since: 'yesterday' } });
  });

  test('brings back no text of an accident', async () => {
    const error = await client()
      .getUserNames({ user_ids: ['crash'] }, origin)
      .catch((e) => e);
    expect(error).toMatchObject({ code: 'INTERNAL_SERVER_ERROR' });
    expect(error.message).not.toContain('secret');
  });

  test('ends at its deadline, and the server hears of it', async () => {
    const call = client().getUserNames({ user_ids: ['slow'] }, origin, { deadlineMs: 100 });
    await expect(call).rejects.toMatchObject({ code: 'UPSTREAM_ERROR', httpStatus: 502 });
    await until('the server to hear of it', () => calls.at(-1)?.signal?.aborted);
  });

  test('never outlives the deadline of the request that it serves', async () => {
    const inherited = { ...origin, deadline: new Date(Date.now() + 100) };
    const call = client().getUserNames({ user_ids: ['slow'] }, inherited, { deadlineMs: 60_000 });
    await expect(call).rejects.toMatchObject({ code: 'UPSTREAM_ERROR' });
  });

  test('fails clearly when the service cannot be reached', async () => {
    const nobody = new RpcChannel(`127.0.0.1:${await freePort()}`);
    const call = nobody.client(UserServiceService).getProfile({}, { caller: anonymous, requestId: 'r' });
    await expect(call).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', httpStatus: 503 });
    nobody.close();
  });
});
