import type { Replay as ReplayMessage } from '@claude-cli/proto/platform/v1/webhooks';
import { type Connection, type Model, Schema } from 'mongoose';
import type { DeliveryStatus } from '../deliveries/delivery.ts';

// A replay walks through the deliveries of a time, oldest first, in batches, and makes each pending again:
//
//   note the ids of the next batch ──▶ make them pending, marked by the replay ──▶ count them, move on ──▶ …
//
// Each step is one write, guarded by the lease. Who dies leaves a batch that is noted: the next process makes it pending, which
// the mark lets happen once, and counts it by the mark. So each delivery is sent again once, and the count is exact.

/** Where a replay is. */
export type ReplayStatus = 'running' | 'completed' | 'cancelled';

/** What a replay has come to: creation and id of a delivery. */
export interface Place {
  created_at: Date;
  _id: string;
}

/** A stored replay. */
export interface Replay {
  _id: string;
  webhook_id: string;
  requested_by: string;
  since: Date;
  until: Date;
  statuses: DeliveryStatus[];
  status: ReplayStatus;
  /** Deliveries that matched at its start, at most {@link maxReplayed}. */
  total: number;
  truncated: boolean;
  replayed: number;
  /** The last delivery that was looked at. */
  after: Place | null;
  /** Ids of the deliveries that are being made pending. */
  batch: string[];
  holder: string | null;
  /** When another process may go on with it. */
  claimable_at: Date;
  created_at: Date;
  finished_at: Date | null;
  expires_at: Date;
}

/** Replays. */
export type ReplayModel = Model<Replay>;

/** Deliveries that one replay takes at most. */
export const maxReplayed = 10_000;
/** How long a replay is kept, in milliseconds. */
export const replayKeptMs = 30 * 24 * 3_600_000;

const schema = new Schema<Replay>(
  {
    _id: { type: String, required: true },
    webhook_id: { type: String, required: true },
    requested_by: { type: String, required: true },
    since: { type: Date, required: true },
    until: { type: Date, required: true },
    statuses: { type: [String], required: true },
    status: { type: String, required: true },
    total: { type: Number, required: true },
    truncated: { type: Boolean, required: true },
    replayed: { type: Number, required: true },
    after: { type: Schema.Types.Mixed, default: null },
    batch: { type: [String], default: [] },
    holder: { type: String, default: null },
    claimable_at: { type: Date, required: true },
    created_at: { type: Date, required: true },
    finished_at: { type: Date, default: null },
    expires_at: { type: Date, required: true },
  },
  { collection: 'replays', versionKey: false },
);
schema.index(
  { webhook_id: 1 },
  { unique: true, name: 'one_running_per_webhook', partialFilterExpression: { status: 'running' } },
);
schema.index({ status: 1, claimable_at: 1 });
schema.index({ expires_at: 1 }, { expireAfterSeconds: 0 });

/** The replays of a database. */
export function replayModel(connection: Connection): ReplayModel {
  return connection.model<Replay>('Replay', schema);
}

/** A replay as the contract shows it. */
export function toProto(replay: Replay): ReplayMessage {
  return {
    id: replay._id,
    webhook_id: replay.webhook_id,
    since: replay.since.toISOString(),
    until: replay.until.toISOString(),
    statuses: replay.statuses,
    status: replay.status,
    total: replay.total,
    replayed: replay.replayed,
    truncated: replay.truncated,
    covered_until: replay.after?.created_at.toISOString(),
    created_at: replay.created_at.toISOString(),
    finished_at: replay.finished_at?.toISOString(),
  };
}
