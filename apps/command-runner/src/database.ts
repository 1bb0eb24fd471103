import type { Database } from '@claude-cli/shared/migrations/database';
import { commandModel } from './commands/command-store.ts';
import { outputModel } from './output/output-store.ts';

/** The database of all runners. */
export const database: Database = {
  name: 'commands',
  models: (connection) => [commandModel(connection), outputModel(connection)],
};
