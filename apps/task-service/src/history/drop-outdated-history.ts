import { daysAgo, dropOutdated } from '@claude-cli/shared/retention';
import type { Context } from '../context.ts';

/** Drop what happened long ago from the histories of tasks and the activities of projects. */
export async function dropOutdatedHistory({ history, config }: Context, now = Date.now()): Promise<void> {
  const before = daysAgo(config.HISTORY_TTL_DAYS, now);
  await dropOutdated(history.collection, { field: 'timestamp', before });
}
