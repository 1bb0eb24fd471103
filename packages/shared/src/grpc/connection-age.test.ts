import { type AddressInfo, connect, createServer } from 'node:net';
import { pipeline } from 'node:stream';
import { UserServiceService } from '@claude-cli/proto/platform/v1/users';
import { expect, test } from '@jest/globals';
import { anonymous } from '../caller.ts';
import { createLogger } from '../logger.ts';
import { testTrust as trust } from '../testing/trust.ts';
import { RpcChannel } from './client.ts';
import { serve, startGrpcServer } from './server.ts';

// By its name no read, so that our client sends it once only.
const changeNames = { ...UserServiceService.getUserNames, path: '/platform.v1.UserService/ChangeNames' } as const;
const users = serve({ changeNames }, { changeNames: async () => ({ names: {} }) });

test('a client connects anew when its connection has grown old, and no call fails by it', async () => {
  const log = createLogger('test', 'silent');
  const options = { host: '127.0.0.1', port: 0, services: [users], ctx: {}, log, trust, connectionAgeMs: 50 };
  const server = await startGrpcServer(options);
  let connections = 0;
  const between = createServer((socket) => {
    connections++;
    const onward = connect(server.port, '127.0.0.1');
    pipeline(socket, onward, socket, () => {});
  });
  await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve));
  const channel = new RpcChannel(`127.0.0.1:${(between.address() as AddressInfo).port}`, trust);
  const origin = { caller: anonymous, requestId: 'request-1' };
  const client = channel.client({ changeNames });
  try {
    for (let round = 0; connections < 4 && round < 5_000; round++) {
      const calls = Array.from({ length: 10 }, () =>
        client.changeNames({ user_ids: [] }, origin, { deadlineMs: 10_000 }),
      );
      expect(await Promise.all(calls)).toHaveLength(10);
    }
    expect(connections).toBeGreaterThanOrEqual(4);
  } finally {
    channel.close();
    await server.stop(1_000);
    between.close();
  }
});
