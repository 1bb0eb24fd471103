import type { Delivery as DeliveryMessage } from '@claude-cli/proto/platform/v1/webhooks';
import { newId } from '@claude-cli/shared/ids';
import { type Connection, type Model, Schema } from 'mongoose';
import { bodyOf, type Told } from '../events/payload.ts';
import type { Webhook } from '../webhooks/webhook.ts';
import { deliveryIdOf } from './delivery-id.ts';

// The life of a delivery: one event on its way to one webhook. Every arrow is one guarded update.
//
//   pending ──2xx──▶ succeeded
//    ▲ │ │ anything else, and attempts remain: pending, due after a pause
//    │ │ └ anything else, and none remain ──▶ failed
//    │ └── the webhook is paused, disabled or deleted ──▶ cancelled
//    └──── redelivered or replayed ── succeeded | failed | cancelled
//
// Whoever serves its webhook's endpoint sends it; see ../dispatching/endpoint.ts. What was sent without being settled, because
// a process died, is pending still.
//
// There is one delivery per event and webhook, since its id is made of theirs. Sending it again, by hand or by itself, is always
// the same delivery with the same id and body, so that receivers can tell it from another.

/** Where a delivery is in its life. */
export type DeliveryStatus = 'pending' | 'succeeded' | 'failed' | 'cancelled';

/** Why a delivery was not, or no longer, to be sent. */
export type CancelReason = 'paused' | 'disabled' | 'deleted';

/** One request to the receiver. */
export interface DeliveryAttempt {
  at: Date;
  duration_ms: number;
  /** Null when there was no answer. */
  status_code: number | null;
  /** Why it failed, in one line; null when it did not. */
  error: string | null;
  /** The beginning of the answer's body. */
  response: string;
  /** Its place in a trace; absent where none is recorded. */
  traceparent?: string;
}

/** A stored delivery. */
export interface Delivery {
  /** Sent as delivery_id: the same over all attempts. */
  _id: string;
  webhook_id: string;
  /** event: something happened; test: somebody asked for an example. */
  kind: 'event' | 'test';
  /** Id of the event; of tests, `test:` and the delivery's id. */
  event_id: string;
  event_type: string;
  project_id: string | null;
  /** The body that is signed and sent, to the byte. */
  payload: string;
  status: DeliveryStatus;
  cancel_reason: CancelReason | null;
  /** Attempts made since it was created, or since it was last redelivered by hand. */
  attempt: number;
  /** The latest attempts, oldest first: at most {@link maxAttemptsKept}. */
  attempts: DeliveryAttempt[];
  /** When it is to be sent; null unless pending. */
  next_attempt_at: Date | null;
  created_at: Date;
  /** When it succeeded, failed or was cancelled; null before. */
  finished_at: Date | null;
  /** How long the attempt took that ended it, in milliseconds; null when none did. */
  duration_ms: number | null;
  /** The replay that sent it again last; null: none. */
  replay_id: string | null;
  /** When the record goes. */
  expires_at: Date;
  /** Where in a trace the event happened; absent where none is recorded. */
  traceparent?: string;
}

/** Deliveries. */
export type DeliveryModel = Model<Delivery>;

const dayMs = 24 * 3_600_000;
/** How long one is kept at least after it was sent again by hand, in milliseconds: longer than all attempts take. */
const keptAfterReplayMs = 3 * dayMs;
/** Attempts of a delivery that are kept. */
export const maxAttemptsKept = 20;

const schema = new Schema<Delivery>(
  {
    _id: { type: String, required: true },
    webhook_id: { type: String, required: true },
    kind: { type: String, required: true },
    event_id: { type: String, required: true },
    event_type: { type: String, required: true },
    project_id: { type: String, default: null },
    payload: { type: String, required: true },
    status: { type: String, required: true },
    cancel_reason: { type: String, default: null },
    attempt: { type: Number, required: true },
    attempts: { type: [Schema.Types.Mixed], default: [] } as never,
    next_attempt_at: { type: Date, default: null },
    created_at: { type: Date, required: true },
    finished_at: { type: Date, default: null },
    duration_ms: { type: Number, default: null },
    replay_id: { type: String, default: null },
    expires_at: { type: Date, required: true },
    traceparent: { type: String },
  },
  { collection: 'deliveries', versionKey: false, minimize: false },
);
// Lists and replays. A list of deliveries of any status asks for all of them, so that this serves it too.
schema.index({ webhook_id: 1, status: 1, created_at: -1, _id: -1 });
schema.index({ webhook_id: 1, event_type: 1, created_at: -1, _id: -1 });
// What an endpoint is to be sent next. Holds only what waits, so it stays small beside the deliveries of a month.
schema.index({ status: 1, webhook_id: 1, next_attempt_at: 1 }, { partialFilterExpression: { status: 'pending' } });
// Statistics, from the index alone.
schema.index(
  { webhook_id: 1, finished_at: -1, status: 1, duration_ms: 1 },
  { partialFilterExpression: { finished_at: { $gt: new Date(0) } } },
);
schema.index({ expires_at: 1 }, { expireAfterSeconds: 0 });

/** The deliveries of a database. */
export function deliveryModel(connection: Connection): DeliveryModel {
  return connection.model<Delivery>('Delivery', schema);
}

/** What a delivery is made of. */
export interface DeliverySource {
  webhook: Pick<Webhook, '_id' | 'status'>;
  kind: Delivery['kind'];
  /** Absent for tests, which no event causes. */
  event_id?: string;
  project_id: string | null;
  told: Told;
  traceparent?: string | undefined;
}

/** A delivery that is to be sent now; to a webhook that is not active, one that is only recorded. @param keptDays DELIVERY_TTL_DAYS */
export function newDelivery(
  { webhook, kind, event_id, project_id, told, traceparent }: DeliverySource,
  now: Date,
  keptDays: number,
): Delivery {
  const _id = event_id === undefined ? newId() : deliveryIdOf(event_id, webhook._id);
  const cancel_reason = webhook.status === 'active' ? null : webhook.status;
  return {
    _id,
    webhook_id: webhook._id,
    kind,
    event_id: event_id ?? `test:${_id}`,
    event_type: told.event,
    project_id,
    payload: bodyOf(told, webhook._id, _id),
    status: cancel_reason === null ? 'pending' : 'cancelled',
    cancel_reason,
    attempt: 0,
    attempts: [],
    next_attempt_at: cancel_reason === null ? now : null,
    created_at: now,
    finished_at: cancel_reason === null ? null : now,
    duration_ms: null,
    replay_id: null,
    expires_at: new Date(now.getTime() + keptDays * dayMs),
    ...(traceparent !== undefined && { traceparent }),
  };
}

/** What makes a delivery pending again, with all attempts anew. It is kept for as long as they may take. */
export function rearmed(now: Date) {
  return {
    $set: {
      status: 'pending',
      cancel_reason: null,
      attempt: 0,
      next_attempt_at: now,
      finished_at: null,
      duration_ms: null,
    },
    $max: { expires_at: new Date(now.getTime() + keptAfterReplayMs) },
  } as const;
}

/** A delivery as the contract shows it. @param responseLength characters of each answer that are shown; all when absent */
export function toProto(delivery: Delivery, responseLength?: number): DeliveryMessage {
  return {
    id: delivery._id,
    webhook_id: delivery.webhook_id,
    kind: delivery.kind,
    event_type: delivery.event_type,
    status: delivery.status,
    cancel_reason: delivery.cancel_reason ?? undefined,
    attempt: delivery.attempt,
    attempts: delivery.attempts.map(({ at, duration_ms, status_code, error, response }) => ({
      at: at.toISOString(),
      duration_ms: Math.round(duration_ms),
      status_code: status_code ?? undefined,
      error: error ?? undefined,
      response: response.slice(0, responseLength),
    })),
    next_attempt_at: delivery.next_attempt_at?.toISOString(),
    created_at: delivery.created_at.toISOString(),
    finished_at: delivery.finished_at?.toISOString(),
  };
}
