import { createHash } from 'node:crypto';
import type { BeginRequestResponse_Verdict } from '@claude-cli/proto/platform/v1/idempotency';
import { type Connection, type Model, type mongo, Schema } from 'mongoose';

/** How long a key belongs to its request, in seconds from when it was first taken. */
export const keptSeconds = 24 * 60 * 60;

/**
 * A request that must not be done twice. It is being done (no status) by the one attempt that holds it, or it was done and
 * has its answer. How many a user can keep is bounded by the rate limit and by their age.
 */
export interface KeptRequest {
  /** Of user and key, so that keys of any length and form are one indexed value. */
  _id: string;
  /** What the request asks for: a repetition asks for the same. */
  fingerprint: string;
  attempt_id: string;
  /** Id of what it creates, the same for each attempt. Absent, as the next, from documents of earlier versions. */
  creates_id?: string | undefined;
  /** Whether the attempt took over from one that died. */
  again?: boolean;
  /** From when on the attempt counts as dead. */
  lease_until: Date;
  created_at: Date;
  status: number | null;
  answer: mongo.Binary | null;
}

/** Requests that must not be done twice. */
export type KeptRequestModel = Model<KeptRequest>;

const schema = new Schema<KeptRequest>(
  {
    _id: { type: String, required: true },
    fingerprint: { type: String, required: true },
    attempt_id: { type: String, required: true },
    creates_id: { type: String },
    again: { type: Boolean },
    lease_until: { type: Date, required: true },
    created_at: { type: Date, required: true },
    status: { type: Number, default: null },
    answer: { type: Buffer, default: null } as never,
  },
  { collection: 'kept_requests', versionKey: false },
);
schema.index({ created_at: 1 }, { expireAfterSeconds: keptSeconds });

/** The kept requests of a database. */
export function keptRequestModel(connection: Connection): KeptRequestModel {
  return connection.model<KeptRequest>('KeptRequest', schema);
}

/** Id under which the request of a user's key is kept. */
export function idOf({ user_id, key }: { user_id: string; key: string }): string {
  return createHash('sha256')
    .update(JSON.stringify([user_id, key]))
    .digest('hex');
}

/**
 * What an attempt is to do when its key was taken before.
 * @returns a verdict of the contract; take_over when the earlier attempt is dead, replace when its time is over
 */
export function judge(
  kept: Pick<KeptRequest, 'fingerprint' | 'attempt_id' | 'lease_until' | 'created_at' | 'status'>,
  { fingerprint, attempt_id }: { fingerprint: string; attempt_id: string },
  now: Date,
): BeginRequestResponse_Verdict | 'take_over' | 'replace' {
  // The database removes what is too old within minutes, not at once.
  if (now.getTime() - kept.created_at.getTime() >= keptSeconds * 1000) return 'replace';
  if (kept.fingerprint !== fingerprint) return 'other_request';
  if (kept.status !== null) return 'answered';
  // Its own question, asked again because the answer was lost.
  if (kept.attempt_id === attempt_id) return 'begun';
  return kept.lease_until <= now ? 'take_over' : 'in_progress';
}
