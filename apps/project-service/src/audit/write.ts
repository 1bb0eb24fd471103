import type { AuditAct } from '@claude-cli/shared/events';
import { ignoreDuplicateKey, isDuplicateKey } from '@claude-cli/shared/mongo';
import type { Context } from '../context.ts';
import type { AuditRecord, AuditRecordModel } from './record.ts';

/** What keeping a record takes. */
export interface Keeping {
  auditRecords: AuditRecordModel;
  /** How long records are kept. */
  auditTtlDays: number;
}

const dayMs = 24 * 60 * 60 * 1000;

/** An act with what its record is told apart by. */
export interface NewRecord extends AuditAct {
  /** UUID that follows from what happened. */
  id: string;
  time: Date;
  actor: string | null;
  project_id?: string | null;
  /** When it happened last, and how often, where that is more than once. */
  last_at?: Date;
  count?: number;
}

/** Keep a record. What was kept before stays as it is. */
export async function keep({ auditRecords, auditTtlDays }: Keeping, given: NewRecord): Promise<void> {
  await auditRecords.create(recordOf(given, auditTtlDays)).catch(ignoreDuplicateKey);
}

/** Keep a record of what may happen again and again: the first time makes it, later ones are counted. */
export async function count({ auditRecords, auditTtlDays }: Keeping, given: NewRecord): Promise<void> {
  const { _id, count: _, last_at, ...first } = recordOf(given, auditTtlDays);
  const add = () =>
    auditRecords.updateOne({ _id }, { $inc: { count: 1 }, $set: { last_at }, $setOnInsert: first }, { upsert: true });
  await add().catch((error) => {
    // Another request made the document at the same moment.
    if (isDuplicateKey(error)) return add();
    throw error;
  });
}

/** What the handlers of a service keep records by. */
export function keepingOf({ auditRecords, config }: Pick<Context, 'auditRecords' | 'config'>): Keeping {
  return { auditRecords, auditTtlDays: config.AUDIT_TTL_DAYS };
}

function recordOf(given: NewRecord, auditTtlDays: number): AuditRecord {
  const { id, time, actor, action, outcome, target, address, request_id, details } = given;
  const { project_id = null, last_at = time, count: times = 1 } = given;
  return {
    _id: id,
    action,
    outcome,
    actor,
    target_type: target?.type ?? null,
    target_id: target?.id ?? null,
    project_id,
    address,
    request_id,
    count: times,
    created_at: time,
    last_at,
    details,
    expires_at: new Date(last_at.getTime() + auditTtlDays * dayMs),
  };
}
