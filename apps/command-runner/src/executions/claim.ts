import { type Priority, priorities } from '@claude-cli/shared/amqp/topology';
import { Batches } from '@claude-cli/shared/batches';
import { serviceCaller } from '@claude-cli/shared/caller';
import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { newId } from '@claude-cli/shared/ids';
import { inSpan, traced } from '@claude-cli/shared/telemetry/tracing';
import type { Context } from '../context.ts';
import { tryFor } from '../retry.ts';
import type { Lease } from './lease.ts';

/** The answer to a question. */
export interface Answer {
  /** What is to be run, and until when it is ours, by performance.now(); undefined when there is nothing. */
  lease: Lease | undefined;
  /** It was granted before this asking: nothing was taken because of it. */
  grantedBefore: boolean;
  /** By performance.now(), from when on "nothing" is certain; 0: it is. */
  certainFrom: number;
  /** Priorities of which much more is ready. */
  backlog: readonly string[];
}

/** How long one question is asked again and again: its answer may have been lost, and with it an execution for a lease. */
const patience = { totalMs: 60_000, attemptMs: 5_000 };
/**
 * After an attempt that failed, for how long "none" is no answer yet, in milliseconds: that attempt may still be at work, and take
 * an execution that nobody would know to be ours.
 */
export const doubtMs = 10_000;
/** Questions of one call at most; and of the slots that are taken, so many that the others are not worth a wait. */
const most = { questions: 50, ofSlots: 0.8 };
/** How often calls begin while more slots are at work than ask for something: those that become free meanwhile ask together. */
const pace = { everyMs: 30, burst: 2 };

/** This service asking on its own account. */
export function ownOrigin(): Origin {
  return { caller: serviceCaller('command-runner'), requestId: newId() };
}

/**
 * Asks task-service for executions. What of a priority is wanted while a call is under way is asked for together, by the next one.
 * Where runs are short and many, slots wait a moment for each other, until most of them do.
 */
export class Claims {
  readonly #byPriority: ReadonlyMap<Priority, Batches<string, Answer>>;

  /** @param stop ends the asking */
  constructor(ctx: Context, stop: AbortSignal) {
    const isEnough = (count: number) => count >= ctx.executionSlots.taken * most.ofSlots;
    const claimsOf = (priority: Priority) =>
      new Batches<string, Answer>((claim_ids) => claimMany(ctx, priority, claim_ids, stop), {
        most: most.questions,
        pace,
        isEnough,
      });
    this.#byPriority = new Map(priorities.map((priority) => [priority, claimsOf(priority)]));
  }

  /**
   * The execution whose turn it is. What may not run now is announced again by task-service, so nothing needs to be kept.
   * Rejects when task-service does not answer.
   */
  async next(priority: Priority, claim_id: string): Promise<Answer> {
    const claims = this.#byPriority.get(priority);
    if (!claims) throw new Error(`no priority: ${priority}`);
    return claims.add(claim_id);
  }
}

function claimMany(ctx: Context, priority: Priority, claim_ids: string[], stop: AbortSignal): Promise<Answer[]> {
  let attempts = 0;
  let certainFrom = 0;
  const attempt = () => {
    const isFirst = attempts++ === 0;
    if (!isFirst) certainFrom = performance.now() + doubtMs;
    // The replica at which the slots wait gives them nothing meanwhile. If it does not answer, another one may.
    return ask(ctx, isFirst ? ctx.waits : ctx.executions, priority, claim_ids);
  };
  return inSpan('claim execution', { root: true, kind: 'consumer' }, async () => {
    const answers = await tryFor(patience, attempt, stop);
    return answers.map((answer) => ({ ...answer, certainFrom }));
  });
}

async function ask(
  ctx: Context,
  client: Context['executions'],
  priority: Priority,
  claim_ids: string[],
): Promise<Omit<Answer, 'certainFrom'>[]> {
  // The lease is counted from before the call: by our clock it ends no later than by the clock of task-service.
  const asked = performance.now();
  const held = ctx.agentHold.until;
  const [claim_id = '', ...more_claim_ids] = claim_ids;
  const request = {
    priority,
    claim_id,
    more_claim_ids,
    runner_id: ctx.runner.runner_id,
    no_agents: held !== undefined,
    no_agents_until: held?.toISOString(),
  };
  const { more, backlog, ...first } = await client.claimExecution(request, ownOrigin());
  const answers = new Map([{ claim_id, ...first }, ...more].map((answer) => [answer.claim_id, answer]));
  const each = claim_ids.map(async (id) => {
    const answer = answers.get(id);
    // An earlier version hears the first question alone.
    if (!answer) return ask(ctx, client, priority, [id]);
    const job = answer.verdict === 'granted' ? answer.job : undefined;
    const lease = job && { job, leaseUntil: asked + job.lease_ms, ...traced() };
    return [{ lease, grantedBefore: answer.granted_before, backlog }];
  });
  return (await Promise.all(each)).flat();
}
