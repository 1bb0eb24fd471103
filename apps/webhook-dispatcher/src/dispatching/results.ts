import { Batches } from '@claude-cli/shared/batches';
import { traced } from '@claude-cli/shared/telemetry/tracing';
import type { AnyBulkWriteOperation } from 'mongoose';
import { type Delivery, type DeliveryAttempt, type DeliveryModel, maxAttemptsKept } from '../deliveries/delivery.ts';
import type { Limits } from '../sending/limits.ts';
import type { Outcome } from '../sending/outcome.ts';
import { type Verdict, verdictOn } from '../sending/retry.ts';
import type { Webhook, WebhookModel } from '../webhooks/webhook.ts';
import type { Health } from './health.ts';

/** What came of an attempt, to be stored. */
export interface Result {
  delivery: Pick<Delivery, '_id' | 'webhook_id'>;
  /** Number of the attempt, from 1. */
  attempt: number;
  at: Date;
  outcome: Outcome;
  /** Its place in a trace; absent where none is recorded. */
  traceparent?: string;
  verdict: Verdict;
  /** When it is tried again; null when it is not. */
  next_attempt_at: Date | null;
  /** How the endpoint does after it, by whoever serves it under this token; undefined: as before. */
  health: (Health & { token: string }) | undefined;
}

/** What comes of an attempt that ends now, apart from what it says about the endpoint. */
export function resultOf(delivery: Delivery, outcome: Outcome, at: Date, limits: Limits): Omit<Result, 'health'> {
  const attempt = delivery.attempt + 1;
  const verdict = verdictOn(outcome, attempt, limits);
  const next_attempt_at = verdict.status === 'pending' ? new Date(Date.now() + verdict.delayMs) : null;
  return { delivery, attempt, at, outcome, ...traced(), verdict, next_attempt_at };
}

/** Stores results together: those that come while a batch is being written are the next one. */
export class Results implements AsyncDisposable {
  readonly #batches: Batches<Result, undefined>;

  constructor(deliveries: DeliveryModel, webhooks: WebhookModel, most: number) {
    this.#batches = new Batches(
      async (results) => {
        await writeHealth(webhooks, results);
        // The driver's own: casting costs as much as the rest of it, and there is one of these per attempt.
        await deliveries.collection.bulkWrite(results.map(updateOf) as never[], { ordered: false });
        return results.map(() => undefined);
      },
      { most },
    );
  }

  /** Resolves when it is stored. */
  async store(result: Result): Promise<void> {
    await this.#batches.add(result);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#batches[Symbol.asyncDispose]();
  }
}

/** The latest word on each endpoint. It goes first, so that no result is stored whose effect on the endpoint is lost. */
async function writeHealth(webhooks: WebhookModel, results: readonly Result[]): Promise<void> {
  const latest = new Map<string, NonNullable<Result['health']>>();
  for (const { delivery, health } of results) if (health) latest.set(delivery.webhook_id, health);
  if (latest.size === 0) return;
  const updates = [...latest].map(([_id, { token, failures, failing_since, rests_until }]) => ({
    updateOne: {
      filter: { _id, 'endpoint.holder': token },
      update: { $set: { failing_since, 'endpoint.failures': failures, 'endpoint.rests_until': rests_until } },
    },
  }));
  await webhooks.bulkWrite(updates as AnyBulkWriteOperation<Webhook>[], { ordered: false, timestamps: false });
}

/** The delivery after an attempt that succeeded. */
export function succeededBy(delivery: Delivery, result: Result): Delivery {
  return { ...delivery, ...stateAfter(result), attempts: [...delivery.attempts, recordOf(result)] };
}

/**
 * A failure counts for the attempt that it was; a success is true whoever had it, also of a delivery that was cancelled on
 * its way.
 */
function updateOf(result: Result): AnyBulkWriteOperation<Delivery> {
  const { delivery, attempt, verdict } = result;
  const { _id } = delivery;
  const filter =
    verdict.status === 'succeeded'
      ? { _id, status: { $in: ['pending', 'cancelled'] } }
      : { _id, status: 'pending', attempt: attempt - 1 };
  const update = {
    $set: stateAfter(result),
    $push: { attempts: { $each: [recordOf(result)], $slice: -maxAttemptsKept } },
  };
  return { updateOne: { filter, update } } as AnyBulkWriteOperation<Delivery>;
}

function stateAfter({ attempt, outcome, verdict, next_attempt_at }: Result) {
  const state = { status: verdict.status, attempt, next_attempt_at, cancel_reason: null };
  return verdict.status === 'pending' ? state : { ...state, finished_at: new Date(), duration_ms: outcome.duration_ms };
}

function recordOf({ at, outcome, traceparent }: Result): DeliveryAttempt {
  const { duration_ms, status_code, error, response } = outcome;
  return { at, duration_ms, status_code, error, response, ...(traceparent && { traceparent }) };
}
