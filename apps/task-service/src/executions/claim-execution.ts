import type {
  ClaimAnswer,
  ClaimExecutionRequest,
  ClaimExecutionResponse,
} from '@claude-cli/proto/platform/v1/executions';
import { priorities } from '@claude-cli/shared/amqp/topology';
import { invalidField } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { jobOf } from './job.ts';
import { grantedBefore, type Question, takeTurn } from './take-turn.ts';
import { backlogs } from './tokens.ts';

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
  const questions = questionsOf(request);
  const release = ctx.vacancies.withhold(questions.map(({ claim_id }) => claim_id));
  // Asked at the same time, they share what they read. When one fails, all are asked again: the others are granted the same.
  const answers = await Promise.allSettled(questions.map((question) => answer(ctx, question, call)));
  const [first, ...more] = answers.map((settled) => {
    if (settled.status === 'rejected') throw settled.reason;
    return settled.value;
  });
  release([first, ...more].flatMap((each) => (each?.verdict === 'none' ? [each.claim_id] : [])));
  const { verdict = 'none', job, granted_before = false } = first ?? {};
  return { verdict, job, granted_before, more, backlog: await backlogs(ctx) };
}

/** @throws PlatformError VALIDATION_ERROR unless all are ids, at most so many, and differ */
export function requireIds(field: string, ids: readonly string[], most = 1): void {
  if (ids.length > most) throw invalidField(field, `must be at most ${most}`);
  if (new Set(ids).size < ids.length) throw invalidField(field, 'must all differ');
  if (ids.some((id) => id === '' || id.length > idLength)) throw invalidField(field, 'is not an id');
}

function questionsOf(request: ClaimExecutionRequest): Question[] {
  const { claim_id, more_claim_ids, runner_id, no_agents, no_agents_until } = request;
  const priority = priorities.find((each) => each === request.priority);
  if (!priority) throw invalidField('priority', 'is not a priority');
  requireIds('runner_id', [runner_id]);
  requireIds('claim_id', [claim_id]);
  requireIds('more_claim_ids', more_claim_ids, mostMore);
  if (more_claim_ids.includes(claim_id)) throw invalidField('more_claim_ids', 'must all differ');
  const heldUntil = no_agents_until === undefined ? undefined : new Date(no_agents_until);
  const agents = no_agents ? { heldUntil } : 'given';
  return [claim_id, ...more_claim_ids].map((id) => ({ priority, claim_id: id, runner_id, agents }));
}

async function answer(ctx: Context, question: Question, call: Call): Promise<ClaimAnswer> {
  const { claim_id } = question;
  const taken = await takeTurn(ctx, question, call);
  const granted_before = typeof taken !== 'object';
  const execution = granted_before ? await grantedBefore(ctx, question) : taken;
  if (!execution) return { claim_id, verdict: 'none', granted_before: false };
  return { claim_id, verdict: 'granted', job: await jobOf(ctx, execution, call), granted_before };
}
