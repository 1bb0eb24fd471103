import type { Job } from '@claude-cli/proto/platform/v1/executions';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { agentOptions } from './agent-options.ts';
import type { Execution } from './execution.ts';

/** What a runner that was granted an execution has to run. */
export async function jobOf(ctx: Context, execution: Execution, call: Call): Promise<Job> {
  const { command, project_id } = execution;
  // Asked for a moment ago, so it is remembered. If it is not, the same question is asked again.
  const settings = command === null ? (await ctx.access.check(project_id, call)).agent : undefined;
  return {
    execution_id: execution._id,
    task_id: execution.task_id,
    project_id: execution.project_id,
    user_id: execution.requested_by,
    generation: execution.generation,
    command: command ?? undefined,
    agent: command === null ? agentOptions(execution, settings) : undefined,
    prompt: execution.prompt,
    timeout_ms: execution.timeout_ms,
    lease_ms: ctx.config.EXECUTION_LEASE_MS,
    traceparent: execution.traceparent,
  };
}
