import { TaskServiceService } from '@claude-cli/proto/platform/v1/tasks';
import type { AnyEvent } from '@claude-cli/shared/events';
import type { RpcClient } from '@claude-cli/shared/grpc/client';
import type { Logger } from '@claude-cli/shared/logger';
import { Outbox } from '@claude-cli/shared/outbox';
import type { BaseContext } from '@claude-cli/shared/service/service';
import type { Settings } from '@claude-cli/shared/settings';
import { type KeptRequestModel, keptRequestModel } from './idempotency/kept-request.ts';
import { ensureMaintenance, type MaintenanceModel, maintenanceModel } from './maintenance/maintenance.ts';
import { type ProjectModel, projectModel } from './projects/project.ts';
import { upgradeProjects } from './projects/upgrade-projects.ts';
import { recordEvent, type SessionHistoryModel, sessionHistoryModel } from './sessions/history.ts';
import { type SessionModel, sessionModel } from './sessions/session.ts';
import { seedAdmin } from './users/seed-admin.ts';
import { upgradeAccounts } from './users/upgrade-accounts.ts';
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
  keptRequests: KeptRequestModel;
  maintenance: MaintenanceModel;
  userOutbox: Outbox<AnyEvent>;
  sessionHistory: SessionHistoryModel;
  projectOutbox: Outbox<AnyEvent>;
  sessionOutbox: Outbox<AnyEvent>;
  maintenanceOutbox: Outbox<AnyEvent>;
  tasks: RpcClient<typeof TaskServiceService>;
}

/** Connect, make sure that indexes and the first account are there. */
export async function createContext({ config, log, resources }: BaseContext<SettingNames>): Promise<Context> {
  const { connection } = await resources.connectMongo('projects');
  const bus = await resources.connectBus();
  const users = userModel(connection);
  const projects = projectModel(connection);
  const sessions = sessionModel(connection);
  const sessionHistory = sessionHistoryModel(connection);
  const keptRequests = keptRequestModel(connection);
  const maintenance = maintenanceModel(connection);
  await Promise.all([users.init(), projects.init(), sessions.init(), sessionHistory.init()]);
  await Promise.all([keptRequests.init(), maintenance.init()]);
  await upgradeAccounts(users);
  await upgradeProjects(projects);
  await ensureMaintenance(maintenance);
  await seedAdmin(users, config.ADMIN_USERNAME, config.ADMIN_PASSWORD, log);
  const outboxOf = (model: { collection: unknown }, tell: (event: AnyEvent) => Promise<void>) =>
    resources.use(new Outbox<AnyEvent>(model.collection, tell, log));
  return {
    config,
    log,
    users,
    projects,
    sessions,
    sessionHistory,
    keptRequests,
    maintenance,
    userOutbox: outboxOf(users, (event) => bus.publishEvent(event)),
    maintenanceOutbox: outboxOf(maintenance, (event) => bus.publishEvent(event)),
    projectOutbox: outboxOf(projects, (event) => bus.publishEvent(event)),
    sessionOutbox: outboxOf(sessions, async (event) => {
      await recordEvent(sessionHistory, event);
      await bus.publishEvent(event);
    }),
    tasks: resources.channel('task-service').client(TaskServiceService),
  };
}
