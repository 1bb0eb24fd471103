import type { Session_Status, Session as SessionMessage } from '@claude-cli/proto/platform/v1/sessions';
import { PlatformError } from '@claude-cli/shared/errors';
import type { AnyEvent } from '@claude-cli/shared/events';
import type { Aggregate } from '@claude-cli/shared/guarded-update';
import { outboxIndex } from '@claude-cli/shared/outbox';
import { type Connection, type Model, type QueryFilter, Schema } from 'mongoose';
import type { Context } from '../context.ts';

/** How long a session lasts from its last access, in milliseconds. */
export const lifetimeMs = 2 * 60 * 60 * 1000;
/** Active sessions that one user may have. */
export const maxActiveSessions = 1_000;

/** A stored session. Closing is its soft delete: deleted_at is when it was closed. */
export interface Session extends Aggregate<AnyEvent> {
  user_id: string;
  project_id: string | null;
  created_at: Date;
  last_accessed: Date;
  expires_at: Date;
  settings: Record<string, unknown>;
  /** Requests and messages that were recorded in its history, those included that the history holds no more. */
  activity_count: number;
}

/** Sessions. */
export type SessionModel = Model<Session>;

const schema = new Schema<Session>(
  {
    _id: { type: String, required: true },
    user_id: { type: String, required: true },
    project_id: { type: String, default: null },
    created_at: { type: Date, required: true },
    updated_at: { type: Date, required: true },
    last_accessed: { type: Date, required: true },
    expires_at: { type: Date, required: true },
    settings: { type: Schema.Types.Mixed, required: true },
    activity_count: { type: Number, default: 0 },
    version: { type: Number, required: true },
    deleted_at: { type: Date, default: null },
    deleted_by: { type: String, default: null },
    outbox: { type: [Schema.Types.Mixed], default: [] } as never,
  },
  { collection: 'sessions', versionKey: false, minimize: false },
);
schema.index({ user_id: 1, created_at: -1, _id: -1 });
schema.index({ user_id: 1, deleted_at: 1, expires_at: 1 });
schema.index(...outboxIndex);

/** The sessions of a database. */
export function sessionModel(connection: Connection): SessionModel {
  return connection.model<Session>('Session', schema);
}

/**
 * The error for a session that is not there, or not the caller's: the two are not told apart.
 * @param status of a session of the caller that is over
 */
export function sessionNotFound(session_id: string, status?: Session_Status): PlatformError {
  if (!status) return new PlatformError('RESOURCE_NOT_FOUND', 'The session does not exist', { session_id });
  return new PlatformError('RESOURCE_NOT_FOUND', `The session is ${status}`, { session_id, status });
}

/** Where a session is in its life. */
export function statusOf(session: Pick<Session, 'deleted_at' | 'expires_at'>, now = new Date()): Session_Status {
  if (session.deleted_at) return 'closed';
  return session.expires_at > now ? 'active' : 'expired';
}

/** The filter that finds sessions of a status. */
export function filterOf(status: Session_Status, now = new Date()): QueryFilter<Session> {
  if (status === 'closed') return { deleted_at: { $ne: null } };
  return { deleted_at: null, expires_at: status === 'active' ? { $gt: now } : { $lte: now } };
}

/** What an access changes. */
export function accessedNow(now = new Date()): Pick<Session, 'last_accessed' | 'expires_at'> {
  return { last_accessed: now, expires_at: new Date(now.getTime() + lifetimeMs) };
}

/** Milliseconds between creation and last access, summed over a user's sessions. */
export async function totalLoginTime(sessions: SessionModel, user_id: string): Promise<number> {
  const [sum] = await sessions.aggregate<{ total: number }>([
    { $match: { user_id } },
    { $group: { _id: null, total: { $sum: { $subtract: ['$last_accessed', '$created_at'] } } } },
  ]);
  return Number(sum?.total ?? 0);
}

/** Names of the projects that sessions work in. */
export async function projectNames(ctx: Context, sessions: Session[]): Promise<Map<string, string>> {
  const ids = sessions.flatMap(({ project_id }) => project_id ?? []);
  if (ids.length === 0) return new Map();
  const projects = await ctx.projects.find({ _id: { $in: ids } }, { name: 1 }).lean();
  return new Map(projects.map(({ _id, name }) => [_id, name]));
}

/** A session as the contract shows it. */
export function toProto(session: Session, names: Map<string, string>): SessionMessage {
  return {
    session_id: session._id,
    project_id: session.project_id ?? undefined,
    project_name: session.project_id ? names.get(session.project_id) : undefined,
    user_id: session.user_id,
    status: statusOf(session),
    created_at: session.created_at.toISOString(),
    last_accessed: session.last_accessed.toISOString(),
    expires_at: session.expires_at.toISOString(),
    settings: session.settings,
  };
}
