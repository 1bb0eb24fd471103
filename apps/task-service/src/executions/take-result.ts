import type { PlatformEvent } from '@claude-cli/shared/events';
import type { Context } from '../context.ts';
import { endExecution } from './end-execution.ts';

/** Take a runner's report of how a run ended. Reports of earlier claims, and repeated ones, change nothing. */
export async function takeResult(ctx: Context, { data }: PlatformEvent<'execution.finished'>): Promise<void> {
  const execution = await ctx.executions.findOne({ _id: data.execution_id }).lean();
  if (execution?.status !== 'running' || execution.generation !== data.generation) return;
  // A report of an earlier version's runner lacks the two.
  const { status, exit_code, error, result, output_bytes, cpu_seconds = null, peak_memory_bytes = null } = data;
  const measured = { output_bytes, cpu_seconds, peak_memory_bytes, retry_at: data.retry_at ?? null };
  await endExecution(ctx, execution, { status, exit_code, error, result, ...measured });
}
