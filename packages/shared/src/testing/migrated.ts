import { createLogger } from '../logger.ts';
import type { Database } from '../migrations/database.ts';
import { migrate } from '../migrations/migrate.ts';

const log = createLogger('migration', 'silent');

/** Make the indexes of services that are then started by an environment, as is done before a real start. */
export async function migrated(env: Record<string, string>, ...databases: readonly Database[]): Promise<void> {
  await Promise.all(databases.map((database) => migrate(env.MONGODB_URI ?? '', database, log)));
}
