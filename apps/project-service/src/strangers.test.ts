import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AuthServiceService } from '@claude-cli/proto/platform/v1/auth';
import { UserServiceService } from '@claude-cli/proto/platform/v1/users';
import { RpcChannel } from '@claude-cli/shared/grpc/client';
import { CallSignatures } from '@claude-cli/shared/grpc/signature';
import { createLogger } from '@claude-cli/shared/logger';
import { Resources } from '@claude-cli/shared/service/resources';
import { startService } from '@claude-cli/shared/service/service';
import { newAuthority } from '@claude-cli/shared/testing/certificates';
import { testEnvironment } from '@claude-cli/shared/testing/environment';
import { migrated } from '@claude-cli/shared/testing/migrated';
import { expect, test } from '@jest/globals';
import { database } from './database.ts';
import { projectService } from './service.ts';
import { signedIn } from './testing/platform.ts';

test('a started service answers only those who know its secret, the new one or the old one', async () => {
  const [secret, older] = ['the new secret: at least 32 characters', 'the old secret: at least 32 characters'];
  await using stack = new AsyncDisposableStack();
  const { env } = stack.use(testEnvironment({ SERVICE_SECRET: `${secret}, ${older}` }));
  await migrated(env, database);
  const { grpcPort } = stack.use(await startService(projectService, { ...env, TASK_SERVICE_ADDRESS: '127.0.0.1:1' }));
  const channelBy = (known: string) => {
    const channel = new RpcChannel(`127.0.0.1:${grpcPort}`, { signatures: new CallSignatures([known]) });
    stack.defer(() => channel.close());
    return channel;
  };
  const eve = signedIn('eve', 'admin');
  const stranger = channelBy('a secret that nobody was told of at all');
  const refused = { code: 'INTERNAL_SERVER_ERROR', cause: { code: 16 } };
  await expect(stranger.client(UserServiceService).listUsers({}, eve)).rejects.toMatchObject(refused);
  const login = { username: env.ADMIN_USERNAME ?? '', password: env.ADMIN_PASSWORD ?? '' };
  await expect(stranger.client(AuthServiceService).login(login, eve)).rejects.toMatchObject(refused);
  for (const known of [secret, older]) {
    expect((await channelBy(known).client(UserServiceService).listUsers({}, eve)).total).toBe(1);
  }
});

test('a service with certificates speaks TLS, to services that are certified by the same authority', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'certificates-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(directory, { recursive: true }));
  const { ca, certify } = newAuthority();
  const { cert, key } = certify();
  const files = { GRPC_TLS_CERT: cert, GRPC_TLS_KEY: key, GRPC_TLS_CA: ca };
  const paths = Object.entries(files).map(([name, content]) => {
    writeFileSync(join(directory, name), content);
    return [name, join(directory, name)] as const;
  });
  const { env } = stack.use(testEnvironment(Object.fromEntries(paths)));
  await migrated(env, database);
  const { grpcPort } = stack.use(await startService(projectService, { ...env, TASK_SERVICE_ADDRESS: '127.0.0.1:1' }));
  const address: Record<string, string> = { ...env, PROJECT_SERVICE_ADDRESS: `localhost:${grpcPort}` };
  const totalBy = async (settings: Record<string, string>) => {
    const resources = stack.use(new Resources(settings, createLogger('test', 'silent')));
    const users = resources.channel('project-service').client(UserServiceService);
    return (await users.listUsers({}, signedIn('eve', 'admin'), { deadlineMs: 2_000 })).total;
  };
  expect(await totalBy(address)).toBe(1);
  const { GRPC_TLS_CERT: _cert, GRPC_TLS_KEY: _key, GRPC_TLS_CA: _ca, ...plain } = address;
  await expect(totalBy(plain)).rejects.toThrow(/cannot be reached|did not answer/);
});

test('a service without a secret does not start', async () => {
  await using environment = testEnvironment({ SERVICE_SECRET: '' });
  await expect(startService(projectService, environment.env)).rejects.toThrow(/SERVICE_SECRET: is required/);
});
