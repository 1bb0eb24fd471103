import { AuthServiceService } from '@claude-cli/proto/platform/v1/auth';
import { ProjectServiceService } from '@claude-cli/proto/platform/v1/projects';
import { SessionServiceService } from '@claude-cli/proto/platform/v1/sessions';
import { TaskServiceService } from '@claude-cli/proto/platform/v1/tasks';
import { UserServiceService } from '@claude-cli/proto/platform/v1/users';
import { anonymous, permissionsOf, type Role } from '@claude-cli/shared/caller';
import { RpcChannel, type RpcClient } from '@claude-cli/shared/grpc/client';
import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { serve, startGrpcServer } from '@claude-cli/shared/grpc/server';
import { newId } from '@claude-cli/shared/ids';
import { createLogger } from '@claude-cli/shared/logger';
import { startService } from '@claude-cli/shared/service/service';
import { testEnvironment } from '@claude-cli/shared/testing/environment';
import type { Context } from '../context.ts';
import { projectService } from '../service.ts';

/** project-service, running in this process on a store and a broker of its own. */
export interface TestPlatform extends AsyncDisposable {
  ctx: Context;
  env: Record<string, string>;
  auth: RpcClient<typeof AuthServiceService>;
  users: RpcClient<typeof UserServiceService>;
  projects: RpcClient<typeof ProjectServiceService>;
  sessions: RpcClient<typeof SessionServiceService>;
  visitor: Origin;
  admin: Origin;
  /** Ids of projects of which task-service says that a task is running. */
  busyProjects: Set<string>;
}

/** A caller with an id of its own. */
export function someone(role: Role = 'developer'): Origin {
  return { caller: { user_id: newId(), role, permissions: permissionsOf[role] }, requestId: newId() };
}

const { getProjectStatistics, getProjectActivity, getUserTaskStatistics } = TaskServiceService;

/** task-service depends on this service, so what it is asked for is played: counts of tasks. */
function countingTaskService(busyProjects: Set<string>) {
  const none = { completed_tasks: 0, pending_tasks: 0, failed_tasks: 0, completion_rate: 0 };
  const countsOf = (id: string) => {
    const running_tasks = busyProjects.has(id) ? 1 : 0;
    return { ...none, running_tasks, total_tasks: running_tasks };
  };
  return serve(
    { getProjectStatistics, getProjectActivity, getUserTaskStatistics },
    {
      getProjectStatistics: async (_: unknown, { project_ids }) => ({
        statistics: Object.fromEntries(project_ids.map((id) => [id, countsOf(id)])),
      }),
      getProjectActivity: async () => ({ activity: [] }),
      getUserTaskStatistics: async () => ({ tasks_created: 3, tasks_completed: 2 }),
    },
  );
}

/** Start the service. */
export async function startTestPlatform(): Promise<TestPlatform> {
  await using stack = new AsyncDisposableStack();
  const { env } = stack.use(testEnvironment());
  const busyProjects = new Set<string>();
  const tasks = await startGrpcServer({
    host: '127.0.0.1',
    port: 0,
    services: [countingTaskService(busyProjects)],
    ctx: {},
    log: createLogger('test', 'silent'),
  });
  stack.defer(() => tasks.stop(1_000));
  const service = stack.use(
    await startService(projectService, { ...env, TASK_SERVICE_ADDRESS: `127.0.0.1:${tasks.port}` }),
  );
  const channel = new RpcChannel(`127.0.0.1:${service.grpcPort}`);
  stack.defer(() => channel.close());
  const auth = channel.client(AuthServiceService);
  const visitor = { caller: anonymous, requestId: newId() };
  const { ADMIN_USERNAME: username = '', ADMIN_PASSWORD: password = '' } = env;
  const { user } = await auth.login({ username, password }, visitor);
  const running = stack.move();
  return {
    ctx: service.ctx,
    env,
    auth,
    users: channel.client(UserServiceService),
    projects: channel.client(ProjectServiceService),
    sessions: channel.client(SessionServiceService),
    visitor,
    admin: {
      caller: { user_id: user?.id ?? '', role: 'admin', permissions: permissionsOf.admin },
      requestId: newId(),
    },
    busyProjects,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
