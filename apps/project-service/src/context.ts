import { TaskServiceService } from '@claude-cli/proto/platform/v1/tasks';
import type { AnyEvent } from '@claude-cli/shared/events';
import type { RpcClient } from '@claude-cli/shared/grpc/client';
import type { Logger } from '@claude-cli/shared/logger';
import { Outbox } from '@claude-cli/shared/outbox';
import type { BaseContext } from '@claude-cli/shared/service/service';
import type { Settings } from '@claude-cli/shared/settings';
import { type ProjectModel, projectModel } from './projects/project.ts';
import { type SessionModel, sessionModel } from './sessions/session.ts';
import { seedAdmin } from './users/seed-admin.ts';
import { type UserModel, userModel } from './users/user.ts';

/** Settings of project-service. */
export const settingNames = ['ADMIN_USERNAME', 'ADMIN_PASSWORD', 'JWT_SECRET', 'JWT_EXPIRES_IN'] as const;

type SettingNames = (typeof settingNames)[number];

/** What every handler of project-service is given. */
export interface Context {
  config: Settings<SettingNames>;
  log: Logger;
  users: UserModel;
  projects: ProjectModel;
  sessions: SessionModel;
  projectOutbox: Outbox<AnyEvent>;
  sessionOutbox: Outbox<AnyEvent>;
  tasks: RpcClient<typeof TaskServiceService>;
}

/** Connect, make sure that indexes and the first account are there. */
export async function createContext({ config, log, resources }: BaseContext<SettingNames>): Promise<Context> {
  const { connection } = await resources.connectMongo('projects');
  const bus = await resources.connectBus();
  const users = userModel(connection);
  const projects = projectModel(connection);
  const sessions = sessionModel(connection);
  await Promise.all([users.init(), projects.init(), sessions.init()]);
  await seedAdmin(users, config.ADMIN_USERNAME, config.ADMIN_PASSWORD, log);
  const outboxOf = (model: { collection: unknown }) =>
    resources.use(new Outbox<AnyEvent>(model.collection, (event) => bus.publishEvent(event), log));
  return {
    config,
    log,
    users,
    projects,
    sessions,
    projectOutbox: outboxOf(projects),
    sessionOutbox: outboxOf(sessions),
    tasks: resources.channel('task-service').client(TaskServiceService),
  };
}
