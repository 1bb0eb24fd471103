import type { Job } from '@claude-cli/proto/platform/v1/executions';
import type { Priority } from '@claude-cli/shared/amqp/topology';
import { serviceCaller } from '@claude-cli/shared/caller';
import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { newId } from '@claude-cli/shared/ids';
import type { Context } from '../context.ts';
import { tryFor } from '../retry.ts';

/** What is to be run, and until when it is ours, by performance.now(); undefined when there is nothing. */
export type Claim = { job: Job; leaseUntil: number } | undefined;

/** How long one question is asked again and again: its answer may have been lost, and with it an execution for a lease. */
const patience = { totalMs: 15_000, attemptMs: 5_000 };

/** This service asking on its own account. */
export function ownOrigin(): Origin {
  return { caller: serviceCaller('command-runner'), requestId: newId() };
}

/**
 * Ask task-service for the execution whose turn it is. What may not run now is announced again by task-service, so nothing
 * needs to be kept. Rejects when task-service does not answer.
 * @param stop ends the asking
 */
export function claimExecution(ctx: Context, priority: Priority, stop: AbortSignal): Promise<Claim> {
  const claim_id = newId();
  return tryFor(patience, () => ask(ctx, priority, claim_id), stop);
}

async function ask(ctx: Context, priority: Priority, claim_id: string): Promise<Claim> {
  // The lease is counted from before the call: by our clock it ends no later than by the clock of task-service.
  const asked = performance.now();
  const held = ctx.agentHold.until;
  const request = {
    priority,
    claim_id,
    runner_id: ctx.runner.runner_id,
    no_agents: held !== undefined,
    no_agents_until: held?.toISOString(),
  };
  const { verdict, job } = await ctx.executions.claimExecution(request, ownOrigin());
  return verdict === 'granted' && job ? { job, leaseUntil: asked + job.lease_ms } : undefined;
}
