import { AuditServiceService } from '@claude-cli/proto/platform/v1/audit';
import { AuthServiceService } from '@claude-cli/proto/platform/v1/auth';
import { IdempotencyServiceService } from '@claude-cli/proto/platform/v1/idempotency';
import { MaintenanceServiceService } from '@claude-cli/proto/platform/v1/maintenance';
import { NotificationServiceService } from '@claude-cli/proto/platform/v1/notifications';
import { ProjectServiceService } from '@claude-cli/proto/platform/v1/projects';
import { SessionServiceService } from '@claude-cli/proto/platform/v1/sessions';
import { UserServiceService } from '@claude-cli/proto/platform/v1/users';
import { anonymous, permissionsOf, type Role } from '@claude-cli/shared/caller';
import type { RpcClient } from '@claude-cli/shared/grpc/client';
import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { startGrpcServer } from '@claude-cli/shared/grpc/server';
import { newId } from '@claude-cli/shared/ids';
import { createLogger } from '@claude-cli/shared/logger';
import { startService } from '@claude-cli/shared/service/service';
import { testChannel } from '@claude-cli/shared/testing/channel';
import { testEnvironment } from '@claude-cli/shared/testing/environment';
import { migrated } from '@claude-cli/shared/testing/migrated';
import { testTrust } from '@claude-cli/shared/testing/trust';
import type { Context } from '../context.ts';
import { database } from '../database.ts';
import { projectService } from '../service.ts';
import { type PlayedTasks, playedTasks, serveTasks } from './played-tasks.ts';

/** project-service, running in this process on a store and a broker of its own. */
export interface TestPlatform extends AsyncDisposable {
  ctx: Context;
  env: Record<string, string>;
  audit: RpcClient<typeof AuditServiceService>;
  auth: RpcClient<typeof AuthServiceService>;
  users: RpcClient<typeof UserServiceService>;
  projects: RpcClient<typeof ProjectServiceService>;
  sessions: RpcClient<typeof SessionServiceService>;
  idempotency: RpcClient<typeof IdempotencyServiceService>;
  maintenance: RpcClient<typeof MaintenanceServiceService>;
  notifications: RpcClient<typeof NotificationServiceService>;
  visitor: Origin;
  admin: Origin;
  /** What task-service, which is played, says and does. */
  tasks: PlayedTasks;
}

/** A caller with an id of its own. */
export function someone(role: Role = 'developer'): Origin {
  return signedIn(newId(), role);
}

/** A user who came with the token of a sign-in. */
export function signedIn(user_id: string, role: Role = 'developer'): Origin {
  const credential = { kind: 'token', id: newId(), expires_at: Math.floor(Date.now() / 1000) + 3600 } as const;
  return { caller: { user_id, role, permissions: permissionsOf[role], credential }, requestId: newId() };
}

/** Start the service. */
export async function startTestPlatform(): Promise<TestPlatform> {
  await using stack = new AsyncDisposableStack();
  const { env } = stack.use(testEnvironment());
  await migrated(env, database);
  const tasks = playedTasks();
  const taskService = await startGrpcServer({
    host: '127.0.0.1',
    port: 0,
    services: [serveTasks(tasks)],
    ctx: {},
    log: createLogger('test', 'silent'),
    trust: testTrust,
  });
  stack.defer(() => taskService.stop(1_000));
  const service = stack.use(
    await startService(projectService, { ...env, TASK_SERVICE_ADDRESS: `127.0.0.1:${taskService.port}` }),
  );
  const channel = testChannel(service.grpcPort);
  stack.defer(() => channel.close());
  const auth = channel.client(AuthServiceService);
  const visitor = { caller: anonymous, requestId: newId() };
  const { ADMIN_USERNAME: username = '', ADMIN_PASSWORD: password = '' } = env;
  const { user } = await auth.login({ username, password }, visitor);
  const running = stack.move();
  return {
    ctx: service.ctx,
    env,
    audit: channel.client(AuditServiceService),
    auth,
    users: channel.client(UserServiceService),
    projects: channel.client(ProjectServiceService),
    sessions: channel.client(SessionServiceService),
    idempotency: channel.client(IdempotencyServiceService),
    maintenance: channel.client(MaintenanceServiceService),
    notifications: channel.client(NotificationServiceService),
    visitor,
    admin: signedIn(user?.id ?? '', 'admin'),
    tasks,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
