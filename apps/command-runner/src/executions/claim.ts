import type { Job } from '@claude-cli/proto/platform/v1/executions';
import type { JobMessage } from '@claude-cli/shared/amqp/bus';
import { serviceCaller } from '@claude-cli/shared/caller';
import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { isId, newId } from '@claude-cli/shared/ids';
import type { Context } from '../context.ts';

/** What to do with a message: run the job, or drop it. */
export type Claim = { job: Job; leaseUntil: number } | undefined;

/** This service asking on its own account. */
export function ownOrigin(): Origin {
  return { caller: serviceCaller('command-runner'), requestId: newId() };
}

/** The message that a delivery carries; undefined when it is none. */
export function readJobMessage(content: Buffer): JobMessage | undefined {
  try {
    const { execution_id, generation } = JSON.parse(content.toString());
    return isId(execution_id) && Number.isInteger(generation) ? { execution_id, generation } : undefined;
  } catch {
    return undefined;
  }
}

/** Ask task-service for an execution. What it defers it announces again, so nothing needs to be kept. */
export async function claimExecution(ctx: Context, message: JobMessage): Promise<Claim> {
  // The lease is counted from before the call: by our clock it ends no later than by the clock of task-service.
  const asked = performance.now();
  const request = { ...message, runner_id: ctx.runner.runner_id };
  const { verdict, job } = await ctx.executions.claimExecution(request, ownOrigin());
  if (verdict !== 'granted' || !job) {
    ctx.log.debug({ ...message, verdict }, 'execution not granted');
    return undefined;
  }
  return { job, leaseUntil: asked + job.lease_ms };
}
