import type { Database } from '@claude-cli/shared/migrations/database';
import { logModels } from './log/log-store.ts';

/** The database of realtime. */
export const database: Database = {
  name: 'realtime',
  models: (connection) => Object.values(logModels(connection)),
};
