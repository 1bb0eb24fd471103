import { database as commands } from '../../apps/command-runner/src/database.ts';
import { database as projects } from '../../apps/project-service/src/database.ts';
import { database as realtime } from '../../apps/realtime/src/database.ts';
import { database as tasks } from '../../apps/task-service/src/database.ts';
import { database as webhooks } from '../../apps/webhook-dispatcher/src/database.ts';
import { createLogger } from '../../packages/shared/src/logger.ts';
import { migrate } from '../../packages/shared/src/migrations/migrate.ts';
import { SetupError } from './setup-error.ts';

/** The databases of all services. */
export const databases = [projects, tasks, commands, webhooks, realtime];

/**
 * Migrate the databases of all services, one after the other.
 * @returns by the name of a database, the indexes that were made
 * @throws SetupError that names the database that could not be migrated
 */
export async function migrateAll(uri: string, logLevel: string): Promise<Map<string, string[]>> {
  const made = new Map<string, string[]>();
  for (const database of databases) {
    const log = createLogger(`${database.name}-migration`, logLevel);
    try {
      made.set(database.name, await migrate(uri, database, log));
    } catch (cause) {
      throw new SetupError(`The database ${database.name} cannot be migrated: ${(cause as Error).message}.`);
    }
  }
  return made;
}
