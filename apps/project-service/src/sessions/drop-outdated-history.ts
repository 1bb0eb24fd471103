import { daysAgo, dropOutdated } from '@claude-cli/shared/retention';
import type { Context } from '../context.ts';

/** Drop what happened long ago from the histories of sessions. */
export async function dropOutdatedHistory(
  { sessionHistory, config }: Pick<Context, 'sessionHistory' | 'config'>,
  now = Date.now(),
): Promise<void> {
  const before = daysAgo(config.HISTORY_TTL_DAYS, now);
  await dropOutdated(sessionHistory.collection, { field: 'timestamp', before });
}
