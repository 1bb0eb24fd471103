import type {
  ClaimAnswer,
  ClaimExecutionRequest,
  ClaimExecutionResponse,
} from '@claude-cli/proto/platform/v1/executions';
import { priorities } from '@claude-cli/shared/amqp/topology';
import { invalidField } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { agentOptions } from './agent-options.ts';
import type { Execution } from './execution.ts';
import { grantedBefore, type Question, takeTurn } from './take-turn.ts';

/** Longest id that is believed. */
const idLength = 200;
/** Questions that one call may ask besides the first. */
const mostMore = 100;

/** Give the executions of a queue whose turn it is to the runner that asks. */
export async function claimExecution(
  ctx: Context,
  request: ClaimExecutionRequest,
  call: Call,
): Promise<ClaimExecutionResponse> {
  // Asked at the same time, they share what they read. When one fails, all are asked again: the others are granted the same.
  const answers = await Promise.allSettled(questionsOf(request).map((question) => answer(ctx, question, call)));
  const [first, ...more] = answers.map((settled) => {
    if (settled.status === 'rejected') throw settled.reason;
    return settled.value;
  });
  return { verdict: first?.verdict ?? 'none', job: first?.job, more };
}

function questionsOf(request: ClaimExecutionRequest): Question[] {
  const { claim_id, more_claim_ids, runner_id, no_agents, no_agents_until } = request;
  const priority = priorities.find((each) => each === request.priority);
  if (!priority) throw invalidField('priority', 'is not a priority');
  if (more_claim_ids.length > mostMore) throw invalidField('more_claim_ids', `must be at most ${mostMore}`);
  const claim_ids = [claim_id, ...more_claim_ids];
  if (new Set(claim_ids).size < claim_ids.length) throw invalidField('more_claim_ids', 'must all differ');
  for (const [field, ids] of Object.entries({ claim_id: [claim_id], more_claim_ids, runner_id: [runner_id] })) {
    if (ids.some((id) => id === '' || id.length > idLength)) throw invalidField(field, 'is not an id');
  }
  const until = no_agents_until === undefined ? undefined : new Date(no_agents_until);
  return claim_ids.map((id) => ({ priority, claim_id: id, runner_id, no_agents, no_agents_until: until }));
}

async function answer(ctx: Context, question: Question, call: Call): Promise<ClaimAnswer> {
  const execution = (await takeTurn(ctx, question, call)) ?? (await grantedBefore(ctx, question));
  const { claim_id } = question;
  return execution ? granted(ctx, claim_id, execution, call) : { claim_id, verdict: 'none' };
}

async function granted(ctx: Context, claim_id: string, execution: Execution, call: Call): Promise<ClaimAnswer> {
  const { command, project_id } = execution;
  // Asked for a moment ago, so it is remembered. If it is not, the same question is asked again.
  const settings = command === null ? (await ctx.access.check(project_id, call)).agent : undefined;
  return {
    claim_id,
    verdict: 'granted',
    job: {
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
    },
  };
}
