import { database as projectDatabase } from '@claude-cli/project-service/database';
import { projectService } from '@claude-cli/project-service/service';
import { AnalyticsServiceService } from '@claude-cli/proto/platform/v1/analytics';
import { AuthServiceService } from '@claude-cli/proto/platform/v1/auth';
import { ExecutionServiceService } from '@claude-cli/proto/platform/v1/executions';
import { ProjectServiceService } from '@claude-cli/proto/platform/v1/projects';
import { QueueServiceService } from '@claude-cli/proto/platform/v1/queues';
import { TaskServiceService } from '@claude-cli/proto/platform/v1/tasks';
import { UserServiceService } from '@claude-cli/proto/platform/v1/users';
import { anonymous, permissionsOf, type Role, serviceCaller } from '@claude-cli/shared/caller';
import type { RpcClient } from '@claude-cli/shared/grpc/client';
import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { newId } from '@claude-cli/shared/ids';
import { startService } from '@claude-cli/shared/service/service';
import { testChannel } from '@claude-cli/shared/testing/channel';
import { testEnvironment } from '@claude-cli/shared/testing/environment';
import { freePort } from '@claude-cli/shared/testing/free-port';
import { migrated } from '@claude-cli/shared/testing/migrated';
import type { Context } from '../context.ts';
import { database } from '../database.ts';
import { taskService } from '../service.ts';

/** task-service and project-service, running in this process on a store and a broker of their own. */
export interface TestPlatform extends AsyncDisposable {
  /** What task-service was started with. */
  env: Record<string, string>;
  ctx: Context;
  tasks: RpcClient<typeof TaskServiceService>;
  analytics: RpcClient<typeof AnalyticsServiceService>;
  executions: RpcClient<typeof ExecutionServiceService>;
  queues: RpcClient<typeof QueueServiceService>;
  projects: RpcClient<typeof ProjectServiceService>;
  users: RpcClient<typeof UserServiceService>;
  /** The first account. */
  admin: Origin;
  /** A runner. */
  runner: Origin;
}

/** A caller who is in no account of the store. */
export function someone(role: Role = 'developer'): Origin {
  return { caller: { user_id: newId(), role, permissions: permissionsOf[role] }, requestId: newId() };
}

/** Start both services. @param service task-service, or less of it */
export async function startTestPlatform(
  settings: Record<string, string> = {},
  service = taskService,
): Promise<TestPlatform> {
  await using stack = new AsyncDisposableStack();
  const { env } = stack.use(testEnvironment(settings));
  await migrated(env, database, projectDatabase);
  // The two ask each other, so one address has to be known before its service has started.
  const taskPort = await freePort();
  const addressOf = (port: number) => `127.0.0.1:${port}`;
  const projects = stack.use(await startService(projectService, { ...env, TASK_SERVICE_ADDRESS: addressOf(taskPort) }));
  const taskEnv = { ...env, GRPC_PORT: String(taskPort), PROJECT_SERVICE_ADDRESS: addressOf(projects.grpcPort) };
  const tasks = stack.use(await startService(service, taskEnv));
  const projectChannel = testChannel(projects.grpcPort);
  const taskChannel = testChannel(taskPort);
  stack.defer(() => {
    projectChannel.close();
    taskChannel.close();
  });
  const { ADMIN_USERNAME: username = '', ADMIN_PASSWORD: password = '' } = env;
  const visitor = { caller: anonymous, requestId: newId() };
  const { user } = await projectChannel.client(AuthServiceService).login({ username, password }, visitor);
  const admin: Origin = {
    caller: { user_id: user?.id ?? '', role: 'admin', permissions: permissionsOf.admin },
    requestId: newId(),
  };
  const running = stack.move();
  return {
    env: taskEnv,
    ctx: tasks.ctx,
    tasks: taskChannel.client(TaskServiceService),
    analytics: taskChannel.client(AnalyticsServiceService),
    executions: taskChannel.client(ExecutionServiceService),
    queues: taskChannel.client(QueueServiceService),
    projects: projectChannel.client(ProjectServiceService),
    users: projectChannel.client(UserServiceService),
    admin,
    runner: { caller: serviceCaller('command-runner'), requestId: newId() },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
