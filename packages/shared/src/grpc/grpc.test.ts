import { UserServiceService } from '@claude-cli/proto/platform/v1/users';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { anonymous, permissionsOf } from '../caller.ts';
import { PlatformError } from '../errors.ts';
import { createLogger } from '../logger.ts';
import { freePort } from '../testing/free-port.ts';
import { testTrust as trust } from '../testing/trust.ts';
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
const streamNames = { ...getUserNames, path: '/platform.v1.UserService/StreamNames', responseStream: true } as const;
const definition = { getProfile, getUserNames, streamNames };
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
  streamNames: async (_: unknown, { user_ids: [mode, count] }, call) => {
    calls.push(call);
    if (mode === 'refused') throw new PlatformError('PROJECT_ACCESS_DENIED', 'No access', { project_id: 'p' });
    return names(mode ?? '', Number(count), call.signal);
  },
});

const sent: number[] = [];

async function* names(mode: string, count: number, signal: AbortSignal | undefined) {
  for (let index = 0; index < count && !signal?.aborted; index++) {
    sent.push(index);
    yield { names: { [index]: 'x'.repeat(1_000) } };
  }
  if (mode === 'broken') throw new PlatformError('DATABASE_ERROR', 'The store has gone');
  if (mode === 'endless' && !signal?.aborted)
    await new Promise((resolve) => signal?.addEventListener('abort', resolve));
}

describe('a call between services', () => {
  const log = createLogger('test', 'silent');
  let server: RunningGrpcServer;
  let channel: RpcChannel;
  const client = () => channel.client(definition);

  beforeAll(async () => {
    server = await startGrpcServer({ host: '127.0.0.1', port: 0, services: [users], ctx: {}, log, trust });
    channel = new RpcChannel(`127.0.0.1:${server.port}`, trust);
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
    const nobody = new RpcChannel(`127.0.0.1:${await freePort()}`, trust);
    const call = nobody.client(UserServiceService).getProfile({}, { caller: anonymous, requestId: 'r' });
    await expect(call).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', httpStatus: 503 });
    nobody.close();
  });

  describe('that is answered by a stream', () => {
    const stream = (mode: string, count = 3, own: Partial<Origin> = {}) =>
      client().streamNames({ user_ids: [mode, String(count)] }, { ...origin, ...own });

    test('brings the messages in order, to their end', async () => {
      const indexes: string[] = [];
      for await (const { names } of await stream('whole')) indexes.push(...Object.keys(names));
      expect(indexes).toEqual(['0', '1', '2']);
    });

    test('is refused before it begins', async () => {
      await expect(stream('refused')).rejects.toMatchObject({
        code: 'PROJECT_ACCESS_DENIED',
        details: { project_id: 'p' },
      });
    });

    test('tells what breaks it off, after what came before', async () => {
      const indexes: string[] = [];
      const read = async () => {
        for await (const { names } of await stream('broken')) indexes.push(...Object.keys(names));
      };
      await expect(read()).rejects.toMatchObject({ code: 'DATABASE_ERROR' });
      expect(indexes).toEqual(['0', '1', '2']);
    });

    test('outlives the time that it has to begin', async () => {
      const late = AbortSignal.timeout(400);
      const messages = await stream('endless', 1, { deadline: new Date(Date.now() + 200), signal: late });
      const read = async () => {
        for await (const _ of messages);
      };
      await expect(read()).rejects.toMatchObject({ code: 'UPSTREAM_ERROR' });
      expect(late.aborted).toBe(true);
    });

    test('ends at the server when the reader stops reading', async () => {
      for await (const _ of await stream('endless')) break;
      await until('the server to hear of it', () => calls.at(-1)?.signal?.aborted);
    });

    test('waits for a reader who is slow', async () => {
      sent.length = 0;
      const iterator = (await stream('whole', 100_000))[Symbol.asyncIterator]();
      await iterator.next();
      let before = -1;
      await until('the server to pause', () => {
        const paused = sent.length === before;
        before = sent.length;
        return paused;
      });
      expect(sent.length).toBeLessThan(10_000);
      await iterator.return?.();
    });

    test('ends in order when the server stops', async () => {
      const own = await startGrpcServer({ host: '127.0.0.1', port: 0, services: [users], ctx: {}, log, trust });
      const to = new RpcChannel(`127.0.0.1:${own.port}`, trust);
      const messages = await to.client(definition).streamNames({ user_ids: ['endless', '1'] }, origin);
      const indexes: string[] = [];
      for await (const { names } of messages) {
        indexes.push(...Object.keys(names));
        void own.stop(10_000);
      }
      expect(indexes).toEqual(['0']);
      to.close();
    });
  });
});
