import type { Database } from '@claude-cli/shared/migrations/database';
import { auditRecordModel } from './audit/record.ts';
import { keptRequestModel } from './idempotency/kept-request.ts';
import { maintenanceModel } from './maintenance/maintenance.ts';
import { notificationModel } from './notifications/notification.ts';
import { projectModel } from './projects/project.ts';
import { sessionHistoryModel } from './sessions/history.ts';
import { sessionModel } from './sessions/session.ts';
import { userModel } from './users/user.ts';

/** The database of project-service. */
export const database: Database = {
  name: 'projects',
  models: (connection) => [
    userModel(connection),
    projectModel(connection),
    sessionModel(connection),
    sessionHistoryModel(connection),
    keptRequestModel(connection),
    maintenanceModel(connection),
    auditRecordModel(connection),
    notificationModel(connection),
  ],
};
