import type { Maintenance_Status, Maintenance as MaintenanceMessage } from '@claude-cli/proto/platform/v1/maintenance';
import { PlatformError } from '@claude-cli/shared/errors';
import { type AnyEvent, newEvent } from '@claude-cli/shared/events';
import { type Aggregate, guardedUpdate } from '@claude-cli/shared/guarded-update';
import { outboxIndex } from '@claude-cli/shared/outbox';
import { type Connection, type Model, Schema } from 'mongoose';
import type { Context } from '../context.ts';

const theOne = 'maintenance';

/** When a maintenance is, and what is told of it; all null when there is none. */
export interface Announcement {
  message: string | null;
  starts_at: Date | null;
  ends_at: Date | null;
  announced_by: string | null;
}

/** The one maintenance of the platform. */
export interface Maintenance extends Aggregate<AnyEvent>, Announcement {
  /** The status that was told last. What it is now follows from the clock, so every replica knows it without a write. */
  told_status: Maintenance_Status;
}

/** The collection of the one maintenance. */
export type MaintenanceModel = Model<Maintenance>;

const schema = new Schema<Maintenance>(
  {
    _id: { type: String, required: true },
    message: { type: String, default: null },
    starts_at: { type: Date, default: null },
    ends_at: { type: Date, default: null },
    announced_by: { type: String, default: null },
    told_status: { type: String, required: true },
    updated_at: { type: Date, required: true },
    version: { type: Number, required: true },
    deleted_at: { type: Date, default: null },
    deleted_by: { type: String, default: null },
    outbox: { type: [Schema.Types.Mixed], default: [] } as never,
  },
  { collection: 'maintenance', versionKey: false },
);
schema.index(...outboxIndex);

/** The maintenance of a database. */
export function maintenanceModel(connection: Connection): MaintenanceModel {
  return connection.model<Maintenance>('Maintenance', schema);
}

/** No maintenance. */
export const noMaintenance: Announcement = { message: null, starts_at: null, ends_at: null, announced_by: null };

/** Make sure that there is the document that all changes are guarded by. Replicas may do so at once. */
export async function ensureMaintenance(model: MaintenanceModel): Promise<void> {
  const first = {
    ...noMaintenance,
    told_status: 'none' as const,
    updated_at: new Date(),
    version: 1,
    deleted_at: null,
    deleted_by: null,
    outbox: [],
  };
  await model.updateOne({ _id: theOne }, { $setOnInsert: first }, { upsert: true });
}

/** Where a maintenance is at a time. */
export function statusAt(announcement: Pick<Announcement, 'starts_at' | 'ends_at'>, now: Date): Maintenance_Status {
  const { starts_at, ends_at } = announcement;
  if (!starts_at || (ends_at && ends_at <= now)) return 'none';
  return starts_at <= now ? 'active' : 'announced';
}

/** The maintenance as it is stored. @throws PlatformError RESOURCE_NOT_FOUND when the document was taken away */
export async function readMaintenance(ctx: Context): Promise<Maintenance> {
  const maintenance = await ctx.maintenance.findOne({ _id: theOne }).lean();
  if (!maintenance) throw notThere();
  return maintenance;
}

/**
 * Change the maintenance and tell of it.
 * @param by who changes it, and in which session
 * @param decide what it is to be; undefined to leave it. May run again
 */
export async function changeMaintenance(
  ctx: Context,
  by: { actor: string; session_id?: string | undefined },
  decide: (maintenance: Maintenance, now: Date) => Announcement | undefined,
): Promise<Maintenance> {
  const { document, changed } = await guardedUpdate(ctx.maintenance, theOne, notThere, (maintenance) => {
    const now = new Date();
    const announcement = decide(maintenance, now);
    if (!announcement) return undefined;
    const status = statusAt(announcement, now);
    const { message, starts_at, ends_at, announced_by } = announcement;
    const about = { ...by, project_id: null, version: maintenance.version + 1 };
    const facts = {
      status,
      message,
      starts_at: starts_at?.toISOString() ?? null,
      ends_at: ends_at?.toISOString() ?? null,
    } as const;
    return {
      set: { message, starts_at, ends_at, announced_by, told_status: status },
      events: [newEvent('system.maintenance', about, facts)],
    };
  });
  if (changed) void ctx.maintenanceOutbox.flush(document);
  return document;
}

/** The maintenance as the contract shows it. */
export function toProto(announcement: Announcement, now = new Date()): MaintenanceMessage {
  const status = statusAt(announcement, now);
  if (status === 'none') return { status };
  return {
    status,
    message: announcement.message ?? undefined,
    starts_at: announcement.starts_at?.toISOString(),
    ends_at: announcement.ends_at?.toISOString(),
    announced_by: announcement.announced_by ?? undefined,
  };
}

function notThere(): PlatformError {
  return new PlatformError('RESOURCE_NOT_FOUND', 'The maintenance document does not exist');
}
