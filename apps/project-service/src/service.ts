import { AuditServiceService } from '@claude-cli/proto/platform/v1/audit';
import { AuthServiceService } from '@claude-cli/proto/platform/v1/auth';
import { IdempotencyServiceService } from '@claude-cli/proto/platform/v1/idempotency';
import { MaintenanceServiceService } from '@claude-cli/proto/platform/v1/maintenance';
import { NotificationServiceService } from '@claude-cli/proto/platform/v1/notifications';
import { ProjectServiceService } from '@claude-cli/proto/platform/v1/projects';
import { SessionServiceService } from '@claude-cli/proto/platform/v1/sessions';
import { UserServiceService } from '@claude-cli/proto/platform/v1/users';
import { eventPattern } from '@claude-cli/shared/event-routing';
import { serve } from '@claude-cli/shared/grpc/server';
import { retentionLookMs } from '@claude-cli/shared/retention';
import type { Service } from '@claude-cli/shared/service/service';
import { every } from '@claude-cli/shared/timer';
import { listAuditRecords } from './audit/list-audit-records.ts';
import { recordRefusals } from './audit/record-refusals.ts';
import { auditedEvents, takeEvent as takeAuditedEvent } from './audit/take-event.ts';
import { type Context, createContext, settingNames } from './context.ts';
import { abandonRequest } from './idempotency/abandon-request.ts';
import { beginRequest } from './idempotency/begin-request.ts';
import { finishRequest } from './idempotency/finish-request.ts';
import { endMaintenance } from './maintenance/end-maintenance.ts';
import { getMaintenance } from './maintenance/get-maintenance.ts';
import { startMaintenance } from './maintenance/start-maintenance.ts';
import { tellTransition } from './maintenance/tell-transition.ts';
import { takenAtOnce } from './notifications/concerned.ts';
import type { NotifyingEvent } from './notifications/content.ts';
import { dismissNotification } from './notifications/dismiss-notification.ts';
import { listNotifications } from './notifications/list-notifications.ts';
import { readAllNotifications } from './notifications/read-all-notifications.ts';
import { readNotification } from './notifications/read-notification.ts';
import { notifyingEvents, takeEvent } from './notifications/take-event.ts';
import { addMember } from './projects/add-member.ts';
import { checkAccess } from './projects/check-access.ts';
import { cloneProject } from './projects/clone-project.ts';
import { createProject } from './projects/create-project.ts';
import { deleteProject } from './projects/delete-project.ts';
import { discardAbandonedClones } from './projects/discard-clones.ts';
import { getProject } from './projects/get-project.ts';
import { listAccessibleProjects } from './projects/list-accessible-projects.ts';
import { listMembers } from './projects/list-members.ts';
import { listProjects } from './projects/list-projects.ts';
import { removeMember } from './projects/remove-member.ts';
import { updateMember } from './projects/update-member.ts';
import { updateProject } from './projects/update-project.ts';
import { createSession } from './sessions/create-session.ts';
import { deleteSession } from './sessions/delete-session.ts';
import { dropOutdatedHistory } from './sessions/drop-outdated-history.ts';
import { getSession } from './sessions/get-session.ts';
import { getSessionHistory } from './sessions/get-session-history.ts';
import { listSessions } from './sessions/list-sessions.ts';
import { recordActivity } from './sessions/record-activity.ts';
import { restoreSession } from './sessions/restore-session.ts';
import { touchSession } from './sessions/touch-session.ts';
import { updateSession } from './sessions/update-session.ts';
import { changePassword } from './users/change-password.ts';
import { checkApiKey } from './users/check-api-key.ts';
import { checkUser } from './users/check-user.ts';
import { createApiKey } from './users/create-api-key.ts';
import { createUser } from './users/create-user.ts';
import { deleteApiKey } from './users/delete-api-key.ts';
import { getPreferences } from './users/get-preferences.ts';
import { getProfile } from './users/get-profile.ts';
import { getUser } from './users/get-user.ts';
import { getUserNames } from './users/get-user-names.ts';
import { listApiKeys } from './users/list-api-keys.ts';
import { listUsers } from './users/list-users.ts';
import { login } from './users/login.ts';
import { logout } from './users/logout.ts';
import { refreshToken } from './users/refresh-token.ts';
import { updatePreferences } from './users/update-preferences.ts';
import { updateUser } from './users/update-user.ts';

/** Users, projects, members and sessions. */
export const projectService: Service<(typeof settingNames)[number], Context> = {
  name: 'project-service',
  settings: settingNames,
  context: createContext,
  serves: [
    serve(AuditServiceService, { listAuditRecords, recordRefusals }),
    serve(AuthServiceService, { login, refreshToken, logout, checkUser, checkApiKey }),
    serve(UserServiceService, {
      getProfile,
      updatePreferences,
      changePassword,
      listUsers,
      createUser,
      getUser,
      updateUser,
      listApiKeys,
      createApiKey,
      deleteApiKey,
      getUserNames,
      getPreferences,
    }),
    serve(IdempotencyServiceService, { beginRequest, finishRequest, abandonRequest }),
    serve(MaintenanceServiceService, { startMaintenance, endMaintenance, getMaintenance }),
    serve(NotificationServiceService, {
      listNotifications,
      readNotification,
      readAllNotifications,
      dismissNotification,
    }),
    serve(ProjectServiceService, {
      createProject,
      listProjects,
      getProject,
      updateProject,
      deleteProject,
      cloneProject,
      listMembers,
      addMember,
      updateMember,
      removeMember,
      checkAccess,
      listAccessibleProjects,
    }),
    serve(SessionServiceService, {
      createSession,
      listSessions,
      getSession,
      updateSession,
      deleteSession,
      getSessionHistory,
      restoreSession,
      recordActivity,
      touchSession,
    }),
  ],
  runs: [
    (ctx) =>
      ctx.bus.subscribe<NotifyingEvent>(
        {
          queue: ctx.bus.names.serviceQueue('project-service.notifications'),
          exchange: 'events',
          patterns: notifyingEvents.map((type) => eventPattern(type)),
          prefetch: takenAtOnce,
        },
        (event) => takeEvent(ctx, event),
      ),
    (ctx) =>
      ctx.bus.subscribe<Parameters<typeof takeAuditedEvent>[1]>(
        {
          queue: ctx.bus.names.serviceQueue('project-service.audit'),
          exchange: 'events',
          patterns: auditedEvents.map((type) => eventPattern(type)),
          prefetch: 20,
        },
        (event) => takeAuditedEvent(ctx, event),
      ),
    (ctx) => every(2_000, 'telling what was left in the user outbox', () => ctx.userOutbox.sweep(), ctx.log),
    (ctx) => every(2_000, 'telling what was left of maintenance', () => ctx.maintenanceOutbox.sweep(), ctx.log),
    (ctx) => every(1_000, 'telling that a maintenance begins or ends', () => tellTransition(ctx), ctx.log),
    (ctx) => every(2_000, 'telling what was left in the project outbox', () => ctx.projectOutbox.sweep(), ctx.log),
    (ctx) => every(2_000, 'telling what was left in the session outbox', () => ctx.sessionOutbox.sweep(), ctx.log),
    (ctx) => every(retentionLookMs, 'dropping old histories of sessions', () => dropOutdatedHistory(ctx), ctx.log),
    (ctx) => every(60_000, 'giving up abandoned copies of projects', () => discardAbandonedClones(ctx), ctx.log),
  ],
};
