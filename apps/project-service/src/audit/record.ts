import type { AuditRecord_Outcome, AuditRecord as AuditRecordMessage } from '@claude-cli/proto/platform/v1/audit';
import type { AuditAct } from '@claude-cli/shared/events';
import { type Connection, type Model, Schema } from 'mongoose';

/** What a record tells of. */
export type AuditAction = AuditAct['action'];

/** What an act was done to. */
export interface Target {
  type: string;
  id: string;
}

/** A record of the audit log. None is ever changed, but for the count of what happens again and again. */
export interface AuditRecord {
  /** Follows from what is recorded, so that recording it twice is harmless. */
  _id: string;
  action: AuditAction;
  outcome: AuditRecord_Outcome;
  /** Null when nobody had signed in. */
  actor: string | null;
  target_type: string | null;
  target_id: string | null;
  project_id: string | null;
  address: string | null;
  request_id: string | null;
  count: number;
  /** When it happened first. */
  created_at: Date;
  last_at: Date;
  details: Record<string, unknown>;
  expires_at: Date;
}

/** The audit log. */
export type AuditRecordModel = Model<AuditRecord>;

const schema = new Schema<AuditRecord>(
  {
    _id: { type: String, required: true },
    action: { type: String, required: true },
    outcome: { type: String, required: true },
    actor: { type: String, default: null },
    target_type: { type: String, default: null },
    target_id: { type: String, default: null },
    project_id: { type: String, default: null },
    address: { type: String, default: null },
    request_id: { type: String, default: null },
    count: { type: Number, required: true },
    created_at: { type: Date, required: true },
    last_at: { type: Date, required: true },
    details: { type: Schema.Types.Mixed, required: true },
    expires_at: { type: Date, required: true },
  },
  { collection: 'audit_records', versionKey: false, minimize: false },
);
schema.index({ created_at: -1, _id: -1 });
for (const field of ['actor', 'action', 'target_id', 'outcome']) schema.index({ [field]: 1, created_at: -1, _id: -1 });
schema.index({ expires_at: 1 }, { expireAfterSeconds: 0 });

/** The audit log of a database. */
export function auditRecordModel(connection: Connection): AuditRecordModel {
  return connection.model<AuditRecord>('AuditRecord', schema);
}

/** A record as the contract shows it. */
export function toProto(record: AuditRecord): AuditRecordMessage {
  const { _id: id, action, outcome, count, created_at, last_at, details } = record;
  return {
    id,
    action,
    outcome,
    actor: record.actor ?? undefined,
    target_type: record.target_type ?? undefined,
    target_id: record.target_id ?? undefined,
    project_id: record.project_id ?? undefined,
    address: record.address ?? undefined,
    request_id: record.request_id ?? undefined,
    count,
    created_at: created_at.toISOString(),
    last_at: last_at.toISOString(),
    details,
  };
}
