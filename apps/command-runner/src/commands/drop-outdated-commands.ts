import { daysAgo, dropOutdated } from '@claude-cli/shared/retention';
import type { Context } from '../context.ts';
import type { CommandRecord } from './command.ts';

/** Drop commands that were started long ago and do not run, with their output. */
export async function dropOutdatedCommands(
  { config, commands, outputs, log }: Pick<Context, 'config' | 'commands' | 'outputs' | 'log'>,
  now = Date.now(),
): Promise<void> {
  const before = daysAgo(config.EXECUTION_TTL_DAYS, now);
  const dropped = await dropOutdated<Pick<CommandRecord, '_id' | 'run_id'>>(commands.model.collection, {
    field: 'started_at',
    before,
    // What waits to be told is not dropped.
    where: { status: { $ne: 'running' }, outbox: { $size: 0 } },
    projection: { run_id: 1 },
    // Output goes first: without the record nobody would find it.
    first: (records) => outputs.dropRuns(records.map(({ run_id }) => run_id)),
  });
  if (dropped > 0) log.info({ dropped, before }, 'commands that were started long ago were dropped');
}
