import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from 'mongoose';
import type { Logger } from '../logger.ts';
import type { Database } from './database.ts';
import { describeIndex, type LackingIndex } from './indexes.ts';
import { lackingOf } from './migrate.ts';

/** An index that only promises something else serves as well, and is perhaps that of a later version: unless it is to be unique. */
function isNeeded({ isChanged, options }: LackingIndex): boolean {
  return !isChanged || options.unique === true;
}

/** How long a replica waits for the migration, and between two looks, in milliseconds. */
const usual = { waitMs: 100_000, pauseMs: 1_000 };

/**
 * Resolves when a database has the indexes that its service counts on, some of which keep it right and not only fast. Replicas
 * make none themselves: they may start before the migration is through, and wait for it.
 * @throws Error that says what is lacking when the migration does not come
 */
export async function awaitMigration(
  connection: Connection,
  database: Database,
  log: Logger,
  { waitMs, pauseMs } = usual,
): Promise<void> {
  const giveUpAt = Date.now() + waitMs;
  for (let told = false; ; told = true) {
    const lacking = (await lackingOf(connection, database)).filter(isNeeded).map(describeIndex);
    if (lacking.length === 0) return;
    if (!told) log.warn({ lacking }, 'waiting for the migration of the database: npm run migrate');
    if (Date.now() > giveUpAt) {
      const more = lacking.length > 1 ? ` and ${lacking.length - 1} more indexes` : '';
      throw new Error(
        `the database ${connection.name} lacks ${lacking[0]}${more}: run its migration (npm run migrate)`,
      );
    }
    await delay(pauseMs);
  }
}
