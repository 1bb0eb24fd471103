import { daysAgo, dropOutdated } from '@claude-cli/shared/retention';
import type { Context } from '../context.ts';
import { keepAgentUse } from '../limits/agent-use.ts';
import { forgetOutputBefore } from '../limits/stored-output.ts';
import type { Execution } from './execution.ts';

/**
 * Drop executions that ended long ago. Their output, which the runners drop by the same setting, counts no more from just
 * before; what the agent cost goes on to count.
 */
export async function dropOutdatedExecutions(ctx: Context, now = Date.now()): Promise<void> {
  const before = daysAgo(ctx.config.EXECUTION_TTL_DAYS, now);
  const dropped = await dropOutdated<Pick<Execution, '_id' | 'project_id'>>(ctx.executions.collection, {
    field: 'finished_at',
    before,
    // What waits to be told is not dropped.
    where: { outbox: { $size: 0 } },
    projection: { project_id: 1 },
    async first(executions) {
      for (const project_id of new Set(executions.map((execution) => execution.project_id))) {
        await keepAgentUse(ctx, project_id, before);
        await forgetOutputBefore(ctx, project_id, before);
      }
    },
  });
  if (dropped > 0) ctx.log.info({ dropped, before }, 'executions that ended long ago were dropped');
}
