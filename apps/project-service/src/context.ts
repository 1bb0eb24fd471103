import { TaskServiceService } from '@claude-cli/proto/platform/v1/tasks';
import type { Bus } from '@claude-cli/shared/amqp/bus';
import type { AnyEvent } from '@claude-cli/shared/events';
import type { RpcClient } from '@claude-cli/shared/grpc/client';
import type { Logger } from '@claude-cli/shared/logger';
import { Outbox } from '@claude-cli/shared/outbox';
import type { BaseContext } from '@claude-cli/shared/service/service';
import type { Settings } from '@claude-cli/shared/settings';
import { type AuditRecordModel, auditRecordModel } from './audit/record.ts';
import { keep } from './audit/write.ts';
import { database } from './database.ts';
import { type KeptRequestModel, keptRequestModel } from './idempotency/kept-request.ts';
import { ensureMaintenance, type MaintenanceModel, maintenanceModel } from './maintenance/maintenance.ts';
import { type ConcernedReads, openConcernedReads } from './notifications/concerned.ts';
import { EveryNth } from './notifications/every-nth.ts';
import { type MarksModel, marksModel } from './notifications/marks.ts';
import { type NotificationModel, notificationModel } from './notifications/notification.ts';
import { type NotificationInserts, openNotificationInserts, trimmedAfter } from './notifications/notify.ts';
import { type ProjectModel, projectModel } from './projects/project.ts';
import { upgradeProjects } from './projects/upgrade-projects.ts';
import { recordEvent, type SessionHistoryModel, sessionHistoryModel } from './sessions/history.ts';
import { type SessionModel, sessionModel } from './sessions/session.ts';
import { seedAdmin } from './users/seed-admin.ts';
import { upgradeAccounts } from './users/upgrade-accounts.ts';
import { type UserModel, userModel } from './users/user.ts';

/** Settings of project-service. */
export const settingNames = [
  'ADMIN_USERNAME',
  'ADMIN_PASSWORD',
  'JWT_SECRET',
  'JWT_EXPIRES_IN',
  'NOTIFICATION_TTL_DAYS',
  'AUDIT_TTL_DAYS',
  'HISTORY_TTL_DAYS',
] as const;

type SettingNames = (typeof settingNames)[number];

/** What every handler of project-service is given. */
export interface Context {
  config: Settings<SettingNames>;
  log: Logger;
  bus: Bus;
  users: UserModel;
  projects: ProjectModel;
  sessions: SessionModel;
  keptRequests: KeptRequestModel;
  maintenance: MaintenanceModel;
  auditRecords: AuditRecordModel;
  notifications: NotificationModel;
  notificationMarks: MarksModel;
  /** Whom events may concern. */
  concerned: ConcernedReads;
  newNotifications: NotificationInserts;
  /** When the notifications of an audience are to be trimmed. */
  trims: EveryNth;
  userOutbox: Outbox<AnyEvent>;
  sessionHistory: SessionHistoryModel;
  projectOutbox: Outbox<AnyEvent>;
  sessionOutbox: Outbox<AnyEvent>;
  maintenanceOutbox: Outbox<AnyEvent>;
  tasks: RpcClient<typeof TaskServiceService>;
}

/** Connect, and make sure that the first account is there. */
export async function createContext({ config, log, resources }: BaseContext<SettingNames>): Promise<Context> {
  const { connection } = await resources.connectMongo(database);
  const bus = await resources.connectBus();
  const users = userModel(connection);
  const projects = projectModel(connection);
  const sessions = sessionModel(connection);
  const sessionHistory = sessionHistoryModel(connection);
  const keptRequests = keptRequestModel(connection);
  const maintenance = maintenanceModel(connection);
  const auditRecords = auditRecordModel(connection);
  const notifications = notificationModel(connection);
  const notificationMarks = marksModel(connection);
  await upgradeAccounts(users);
  await upgradeProjects(projects);
  await ensureMaintenance(maintenance);
  await seedAdmin(users, config.ADMIN_USERNAME, config.ADMIN_PASSWORD, log);
  const outboxOf = (model: { collection: unknown }, tell: (event: AnyEvent) => Promise<void>) =>
    resources.use(new Outbox<AnyEvent>(model.collection, tell, log));
  return {
    config,
    log,
    bus,
    users,
    projects,
    sessions,
    sessionHistory,
    keptRequests,
    maintenance,
    auditRecords,
    notifications,
    notificationMarks,
    concerned: resources.use(openConcernedReads({ projects, users })),
    newNotifications: resources.use(openNotificationInserts(notifications)),
    trims: new EveryNth(trimmedAfter),
    userOutbox: outboxOf(users, async (event) => {
      if (event.type !== 'audit.act') return bus.publishEvent(event);
      const { id, time, actor, data } = event;
      await keep({ auditRecords, auditTtlDays: config.AUDIT_TTL_DAYS }, { id, time: new Date(time), actor, ...data });
    }),
    maintenanceOutbox: outboxOf(maintenance, (event) => bus.publishEvent(event)),
    projectOutbox: outboxOf(projects, (event) => bus.publishEvent(event)),
    sessionOutbox: outboxOf(sessions, async (event) => {
      await recordEvent(sessionHistory, event);
      await bus.publishEvent(event);
    }),
    tasks: resources.channel('task-service').client(TaskServiceService),
  };
}
