import { runMigration } from '@claude-cli/shared/migrations/run-migration';
import { database } from './database.ts';

await runMigration(database);
