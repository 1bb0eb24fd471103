import { createLogger } from '../logger.ts';
import { readSettings } from '../settings.ts';
import type { Database } from './database.ts';
import { migrate } from './migrate.ts';

/** Migrate the database of a service as this process. Exits with 1, and one clear line, when that fails. */
export async function runMigration(database: Database): Promise<void> {
  const log = createLogger(`${database.name}-migration`, process.env.LOG_LEVEL ?? 'info');
  try {
    const { MONGODB_URI } = readSettings(['MONGODB_URI'], process.env);
    const made = await migrate(MONGODB_URI, database, log);
    log.info({ made }, made.length === 0 ? 'nothing was lacking' : 'migrated');
  } catch (err) {
    log.fatal({ err: { message: (err as Error).message } }, `cannot migrate: ${(err as Error).message}`);
    process.exit(1);
  }
}
