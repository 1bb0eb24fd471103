import type { PlatformEvent } from '@claude-cli/shared/events';
import type { Context } from '../context.ts';
import { endExecution } from './end-execution.ts';

/** Take a runner's report of how a run ended. Reports of earlier claims, and repeated ones, change nothing. */
export async function takeResult(ctx: Context, { data }: PlatformEvent<'execution.finished'>): Promise<void> {
  const execution = await ctx.executions.findOne({ _id: data.execution_id }).lean();
  if (execution?.status !== 'running' || execution.generation !== data.generation) return;
  const { status, exit_code, error, result, output_bytes } = data;
  await endExecution(ctx, execution, { status, exit_code, error, result, output_bytes });
}
