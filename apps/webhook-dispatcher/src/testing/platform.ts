import { database as projectDatabase } from '@claude-cli/project-service/database';
import { projectService } from '@claude-cli/project-service/service';
import { ProjectServiceService } from '@claude-cli/proto/platform/v1/projects';
import { UserServiceService } from '@claude-cli/proto/platform/v1/users';
import { WebhookServiceService } from '@claude-cli/proto/platform/v1/webhooks';
import { permissionsOf, type Role } from '@claude-cli/shared/caller';
import type { RpcClient } from '@claude-cli/shared/grpc/client';
import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { newId } from '@claude-cli/shared/ids';
import { startService } from '@claude-cli/shared/service/service';
import { testChannel } from '@claude-cli/shared/testing/channel';
import { testEnvironment } from '@claude-cli/shared/testing/environment';
import { migrated } from '@claude-cli/shared/testing/migrated';
import type { Context } from '../context.ts';
import { database } from '../database.ts';
import { webhookDispatcher } from '../service.ts';
import { firstAccount } from './first-account.ts';

/** webhook-dispatcher and project-service, running in this process on a store and a broker of their own. */
export interface TestPlatform extends AsyncDisposable {
  /** What webhook-dispatcher was started with. */
  env: Record<string, string>;
  ctx: Context;
  webhooks: RpcClient<typeof WebhookServiceService>;
  projects: RpcClient<typeof ProjectServiceService>;
  users: RpcClient<typeof UserServiceService>;
  /** The first account. */
  admin: Origin;
  /** A new account. */
  newUser(role?: Role): Promise<Origin>;
}

/** Somebody as a caller. */
export function caller(user_id: string, role: Role): Origin {
  return { caller: { user_id, role, permissions: permissionsOf[role] }, requestId: newId() };
}

/** Start both services. */
export async function startTestPlatform(settings: Record<string, string> = {}): Promise<TestPlatform> {
  await using stack = new AsyncDisposableStack();
  const { env: common } = stack.use(testEnvironment(settings));
  await migrated(common, database, projectDatabase);
  const projects = stack.use(await startService(projectService, common));
  const address = (port: number) => `127.0.0.1:${port}`;
  const env = { ...common, PROJECT_SERVICE_ADDRESS: address(projects.grpcPort) };
  const dispatcher = stack.use(await startService(webhookDispatcher, env));
  const projectChannel = testChannel(projects.grpcPort);
  const webhookChannel = testChannel(dispatcher.grpcPort);
  stack.defer(() => {
    projectChannel.close();
    webhookChannel.close();
  });
  const admin = caller(await firstAccount(projects.grpcPort, common), 'admin');
  const users = projectChannel.client(UserServiceService);
  const running = stack.move();
  return {
    env,
    ctx: dispatcher.ctx,
    webhooks: webhookChannel.client(WebhookServiceService),
    projects: projectChannel.client(ProjectServiceService),
    users,
    admin,
    newUser: async (role = 'developer') => {
      const name = `user-${newId()}`;
      const account = {
        username: name,
        email: `${name}@example.com`,
        password: 'correct horse',
        full_name: name,
        role,
      };
      const { id } = await users.createUser({ ...account, tier: 'standard' }, admin);
      return caller(id, role);
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
