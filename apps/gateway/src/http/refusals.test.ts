import { AuditServiceService, type RecordRefusalsRequest } from '@claude-cli/proto/platform/v1/audit';
import { permissionsOf } from '@claude-cli/shared/caller';
import { PlatformError } from '@claude-cli/shared/errors';
import { RpcChannel } from '@claude-cli/shared/grpc/client';
import { serve, startGrpcServer } from '@claude-cli/shared/grpc/server';
import { createLogger } from '@claude-cli/shared/logger';
import { testTrust } from '@claude-cli/shared/testing/trust';
import { until } from '@claude-cli/shared/testing/until';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ask, bearer, idOf, startTestGateway } from '../testing/test-gateway.ts';
import { Refusals } from './refusals.ts';

const developer = { user_id: idOf.developer, role: 'developer', permissions: permissionsOf.developer } as const;
const lines: string[] = [];
const log = createLogger('test', 'warn', { write: (line) => void lines.push(line) });

describe('what the gateway refuses', () => {
  let kept: RecordRefusalsRequest['refusals'];
  let away: boolean;
  let stack: AsyncDisposableStack;
  let refusals: Refusals;

  beforeEach(async () => {
    kept = [];
    away = false;
    lines.length = 0;
    stack = new AsyncDisposableStack();
    const audit = serve<unknown, typeof AuditServiceService>(AuditServiceService, {
      listAuditRecords: () => Promise.reject(new Error('nobody asks')),
      recordRefusals: async (_, request) => {
        if (away) throw new PlatformError('DATABASE_ERROR', 'away');
        kept.push(...request.refusals);
        return {};
      },
    });
    const silent = createLogger('test', 'silent');
    const about = { host: '127.0.0.1', port: 0, services: [audit], ctx: {}, log: silent, trust: testTrust };
    const server = await startGrpcServer(about);
    stack.defer(() => server.stop(100));
    const channel = new RpcChannel(`127.0.0.1:${server.port}`, testTrust);
    stack.defer(() => channel.close());
    refusals = new Refusals(channel, log);
  });
  afterEach(() => stack.disposeAsync());

  const note = (endpoint = 'GET /api/users/', address = '203.0.113.7') =>
    refusals.note(developer, endpoint, 'admin', address);
  const told = () => kept.map(({ endpoint, address, count }) => [endpoint, address, count]);

  test('is told together, counted by user, endpoint and address', async () => {
    for (let n = 0; n < 3; n++) note();
    note('GET /api/audit/');
    note('GET /api/users/', '203.0.113.8');
    await refusals.keep();
    expect(told()).toEqual([
      ['GET /api/users/', '203.0.113.7', 3],
      ['GET /api/audit/', '203.0.113.7', 1],
      ['GET /api/users/', '203.0.113.8', 1],
    ]);
    await refusals.keep();
    expect(kept).toHaveLength(3);
  });

  test('waits while it cannot be told, and is not mixed with what comes later', async () => {
    away = true;
    note();
    await expect(refusals.keep()).rejects.toMatchObject({ code: 'DATABASE_ERROR' });
    note();
    away = false;
    await refusals.keep();
    expect(told()).toEqual([
      ['GET /api/users/', '203.0.113.7', 1],
      ['GET /api/users/', '203.0.113.7', 1],
    ]);
    expect(new Set(kept.map(({ id }) => id)).size).toBe(2);
  });

  test('takes no more memory than it may, and says what is missing', async () => {
    away = true;
    for (let n = 0; n < 1_500; n++) note(`GET /api/${n}`);
    expect(lines).toHaveLength(500);
    await expect(refusals.keep()).rejects.toThrow();
    for (let n = 0; n < 1_500; n++) note(`GET /api/${n}`);
    away = false;
    await refusals.keep();
    expect(kept).toHaveLength(1_000);
  });

  test('is told when the gateway stops', async () => {
    const keeping = refusals.start();
    note();
    await keeping[Symbol.asyncDispose]();
    expect(kept).toHaveLength(1);
  });
});

test('whoever asks for what only admins may do is noted with the template of the address', async () => {
  await using gateway = await startTestGateway();
  const as = (role: 'developer' | 'admin') => ({ headers: { authorization: bearer(role) } });
  await ask(gateway, 'GET', `/api/users/${idOf.admin}`, as('developer'));
  await ask(gateway, 'GET', '/api/users/', as('admin'));
  await ask(gateway, 'GET', '/api/users/', { anonymous: true });
  await gateway.refusals.keep();
  const [call] = await until('it to be told', () => gateway.calls.filter(({ rpc }) => /recordRefusals/.test(rpc)));
  expect(call?.request).toMatchObject({
    refusals: [
      {
        user_id: idOf.developer,
        endpoint: 'GET /api/users/{user_id}',
        required: 'admin',
        address: '127.0.0.1',
        count: 1,
      },
    ],
  });
  expect(call?.call.caller.user_id).toBe('gateway');
});
