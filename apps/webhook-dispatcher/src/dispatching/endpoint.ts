import { Schema } from 'mongoose';

// Deliveries are sent per endpoint, which is what a webhook is to the dispatchers. At any time one process serves an endpoint,
// by a lease on the webhook's document, so that the bounds of an endpoint are exact however many dispatchers there are, and
// deliveries need no claims of their own: what the holder has not settled when its lease ends is sent again by the next one.
//
//   nothing waits        holder null, no claimable_at
//   something waits      holder null, claimable_at: when the first is due, or the endpoint has rested
//   served               holder set, claimable_at: when the lease ends
//
// One field, claimable_at, says when an endpoint may be taken, whether it waits or its holder died. So a claim is a range of
// one index, however many deliveries wait.

/** What the dispatchers keep of a webhook. */
export interface Endpoint {
  /** Process that serves it; null: none. */
  holder: string | null;
  /** When it may be taken; absent: nothing is to be sent. */
  claimable_at?: Date;
  /** Counts deliveries that others than the holder added: nobody gives an endpoint up that has news. */
  news: number;
  /** Whether anything was to be sent already when it was taken last; what was handed over with the claim does not count. */
  waited: boolean;
  /** Attempts that failed one after another. */
  failures: number;
  /** Nothing is sent before this; null: it does not rest. */
  rests_until: Date | null;
}

/** An endpoint for which nothing was sent yet. */
export const newEndpoint: Endpoint = { holder: null, news: 0, waited: false, failures: 0, rests_until: null };

/** The endpoint within the webhook's document. */
export const endpointSchema = new Schema<Endpoint>(
  {
    holder: { type: String, default: null },
    claimable_at: { type: Date },
    news: { type: Number, default: 0 },
    waited: { type: Boolean, default: false },
    failures: { type: Number, default: 0 },
    rests_until: { type: Date, default: null },
  },
  { _id: false, versionKey: false },
);

/** Finds the endpoints that may be taken. */
export const claimIndex = { status: 1, deleted_at: 1, 'endpoint.claimable_at': 1 } as const;
