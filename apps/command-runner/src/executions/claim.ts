import { setTimeout } from 'node:timers/promises';
import { type Priority, priorities } from '@claude-cli/shared/amqp/topology';
import { Batches } from '@claude-cli/shared/batches';
import { serviceCaller } from '@claude-cli/shared/caller';
import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { newId } from '@claude-cli/shared/ids';
import { inSpan, traced } from '@claude-cli/shared/telemetry/tracing';
import type { Context } from '../context.ts';
import { tryFor } from '../retry.ts';
import type { Lease } from './lease.ts';

/** What is to be run, and until when it is ours, by performance.now(); undefined when there is nothing. */
export type Claim = Lease | undefined;

/** What came of a question: where there is nothing, by performance.now(), from when on that is certain. */
interface Answer {
  claim_id: string;
  claim: Claim;
  certainFrom: number;
}

/** How long one question is asked again and again: its answer may have been lost, and with it an execution for a lease. */
const patience = { totalMs: 60_000, attemptMs: 5_000 };
/**
 * After an attempt that failed, for how long "none" is no answer yet, and how often it is asked meanwhile, in milliseconds: that
 * attempt may still be at work, and take an execution that nobody would know to be his.
 */
const doubt = { forMs: 10_000, everyMs: 500 };
/** Questions of one call at most. */
const most = 50;
/** How often calls begin while more slots are at work than ask for something: those that become free meanwhile ask together. */
const pace = { everyMs: 50, burst: 2 };

/** This service asking on its own account. */
export function ownOrigin(): Origin {
  return { caller: serviceCaller('command-runner'), requestId: newId() };
}

/**
 * Asks task-service for executions. What of a priority is wanted while a call is under way is asked for together, by the next one.
 * Where runs are short and many, slots wait a moment for each other, but never half of those that are taken.
 */
export class Claims {
  readonly #ctx: Context;
  readonly #stop: AbortSignal;
  readonly #byPriority: ReadonlyMap<Priority, Batches<undefined, Answer>>;

  /** @param stop ends the asking */
  constructor(ctx: Context, stop: AbortSignal) {
    this.#ctx = ctx;
    this.#stop = stop;
    const isEnough = (count: number) => count >= ctx.executionSlots.taken / 2;
    const claimsOf = (priority: Priority) => {
      const claim = (wanted: readonly undefined[]) => {
        const claim_ids = wanted.map(() => newId());
        return claimMany(ctx, priority, claim_ids, stop);
      };
      return new Batches<undefined, Answer>(claim, { most, pace, isEnough });
    };
    this.#byPriority = new Map(priorities.map((priority) => [priority, claimsOf(priority)]));
  }

  /**
   * The execution whose turn it is. What may not run now is announced again by task-service, so nothing needs to be kept.
   * Rejects when task-service does not answer.
   */
  async next(priority: Priority): Promise<Claim> {
    let answer = await this.#byPriority.get(priority)?.add(undefined);
    while (answer && !answer.claim && performance.now() < answer.certainFrom && !this.#stop.aborted) {
      await setTimeout(doubt.everyMs, undefined, { signal: this.#stop }).catch(() => {});
      [answer] = await claimMany(this.#ctx, priority, [answer.claim_id], this.#stop, answer.certainFrom);
    }
    return answer?.claim;
  }
}

/** @param knownFrom when "none" is certain as far as earlier attempts are concerned */
function claimMany(
  ctx: Context,
  priority: Priority,
  claim_ids: string[],
  stop: AbortSignal,
  knownFrom = 0,
): Promise<Answer[]> {
  let attempts = 0;
  let certainFrom = knownFrom;
  const attempt = () => {
    if (attempts++ > 0) certainFrom = performance.now() + doubt.forMs;
    return ask(ctx, priority, claim_ids);
  };
  return inSpan('claim execution', { root: true, kind: 'consumer' }, async () => {
    const claims = await tryFor(patience, attempt, stop);
    return claim_ids.map((claim_id, place) => ({ claim_id, claim: claims[place], certainFrom }));
  });
}

async function ask(ctx: Context, priority: Priority, claim_ids: string[]): Promise<Claim[]> {
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
  const { verdict, job, more } = await ctx.executions.claimExecution(request, ownOrigin());
  const answers = new Map([{ claim_id, verdict, job }, ...more].map((answer) => [answer.claim_id, answer]));
  return Promise.all(
    claim_ids.map(async (id) => {
      const answer = answers.get(id);
      // An earlier version hears the first question alone.
      if (!answer) return (await ask(ctx, priority, [id]))[0];
      const isGranted = answer.verdict === 'granted' && answer.job;
      return isGranted ? { job: isGranted, leaseUntil: asked + isGranted.lease_ms, ...traced() } : undefined;
    }),
  );
}
