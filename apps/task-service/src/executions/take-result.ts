import type { PlatformEvent } from '@claude-cli/shared/events';
import type { Context } from '../context.ts';
import { endExecution, endKnown } from './end-execution.ts';
import { driverOf } from './execution.ts';

/** Take a runner's report of how a run ended. Reports of earlier claims, and repeated ones, change nothing. */
export async function takeResult(ctx: Context, { data }: PlatformEvent<'execution.finished'>): Promise<void> {
  // A report of an earlier version's runner lacks the two.
  const { status, exit_code, error, result, output_bytes, cpu_seconds = null, peak_memory_bytes = null } = data;
  const measured = { output_bytes, cpu_seconds, peak_memory_bytes, retry_at: data.retry_at ?? null };
  const ending = { status, exit_code, error, result, ...measured };
  const known = ctx.knownRuns.get(data.execution_id);
  // What this process granted itself is as it was, unless it ended or somebody asked to cancel it.
  if (known?.generation === data.generation && (await endKnown(ctx, known, ending))) return;
  const execution = await driverOf(ctx.executions).findOne({ _id: data.execution_id });
  if (execution?.status !== 'running' || execution.generation !== data.generation) return;
  await endExecution(ctx, execution, ending);
}
