import type { SessionActivity } from '@claude-cli/proto/platform/v1/sessions';
import type { AnyEvent, Change } from '@claude-cli/shared/events';
import { ignoreDuplicateKey } from '@claude-cli/shared/mongo';
import { type Connection, type Model, Schema } from 'mongoose';
import type { Context } from '../context.ts';
import type { Session } from './session.ts';

/** Entries that the history of one session holds: the newest so many, and up to trimmedAfter more. */
export const maxEntries = 10_000;
/** After so many changes, or so many activities, of a session its history is trimmed. */
export const trimmedAfter = 100;

/** What happened in a session. */
export type SessionAction =
  | 'session_created'
  | 'settings_changed'
  | 'settings_restored'
  | 'task_restored'
  | 'request'
  | 'message';

/** One entry of a session's history: the projection of one event of the session, or an activity in it. */
export interface SessionEntry {
  /** Of a projection, the id of the event, so that projecting it twice is harmless. */
  _id: string;
  session_id: string;
  timestamp: Date;
  action: SessionAction;
  /** Null for what is no activity, as the next two. */
  request: string | null;
  status: number | null;
  request_id: string | null;
  details: Record<string, unknown>;
}

/** Histories of all sessions. */
export type SessionHistoryModel = Model<SessionEntry>;

const schema = new Schema<SessionEntry>(
  {
    _id: { type: String, required: true },
    session_id: { type: String, required: true },
    timestamp: { type: Date, required: true },
    action: { type: String, required: true },
    request: { type: String, default: null },
    status: { type: Number, default: null },
    request_id: { type: String, default: null },
    details: { type: Schema.Types.Mixed, required: true },
  },
  { collection: 'session_history', versionKey: false, minimize: false },
);
schema.index({ session_id: 1, timestamp: 1, _id: 1 });
schema.index({ timestamp: 1 });

/** The histories of a database. */
export function sessionHistoryModel(connection: Connection): SessionHistoryModel {
  return connection.model<SessionEntry>('SessionEntry', schema);
}

/** The entry that an event makes; undefined for events that histories leave out. */
export function entryOf(event: AnyEvent): SessionEntry | undefined {
  const described = describe(event);
  if (!described) return undefined;
  const { session_id, ...entry } = described;
  const timestamp = new Date(event.time);
  return { _id: event.id, session_id, timestamp, request: null, status: null, request_id: null, ...entry };
}

function describe(event: AnyEvent): Pick<SessionEntry, 'session_id' | 'action' | 'details'> | undefined {
  switch (event.type) {
    case 'session.created': {
      const details = event.project_id === null ? {} : { project_id: event.project_id };
      return { session_id: event.data.session_id, action: 'session_created', details };
    }
    case 'session.updated': {
      const { session_id, changes } = event.data;
      return { session_id, action: 'settings_changed', details: beforeAndAfter(changes) };
    }
    case 'session.restored': {
      const { session_id, restore_point, changes } = event.data;
      return { session_id, action: 'settings_restored', details: { restore_point, ...beforeAndAfter(changes) } };
    }
    case 'session.task_restored': {
      const { session_id, restore_point, task_id, fields } = event.data;
      return { session_id, action: 'task_restored', details: { restore_point, task_id, fields } };
    }
    default:
      return undefined;
  }
}

function beforeAndAfter(changes: Change[]): Record<string, unknown> {
  const settings = changes.find(({ field }) => field === 'settings');
  return { before: settings?.old_value ?? {}, after: settings?.new_value ?? {} };
}

/** Store the entry of an event; harmless when it is there already. */
export async function recordEvent(history: SessionHistoryModel, event: AnyEvent): Promise<void> {
  const entry = entryOf(event);
  if (entry) await history.create(entry).catch(ignoreDuplicateKey);
}

/** Store the entries of events that still wait in a session's outbox, so that its history lacks nothing. */
export async function catchUp({ sessionHistory }: Context, { outbox }: Pick<Session, 'outbox'>): Promise<void> {
  for (const event of outbox) await recordEvent(sessionHistory, event);
}

/** Drop all but the newest entries of a session. */
export async function trimHistory(history: SessionHistoryModel, session_id: string, held = maxEntries): Promise<void> {
  const [oldest] = await history
    .find({ session_id }, { timestamp: 1 })
    .sort({ timestamp: -1, _id: -1 })
    .skip(held - 1)
    .limit(1)
    .lean();
  if (oldest) await history.deleteMany({ session_id, timestamp: { $lt: oldest.timestamp } });
}

/** An entry as the contract shows it. */
export function toActivity({ _id, timestamp, action, request, status, request_id, details }: SessionEntry) {
  return {
    id: _id,
    timestamp: timestamp.toISOString(),
    action,
    request: request ?? undefined,
    status: status ?? undefined,
    request_id: request_id ?? undefined,
    details,
  } satisfies SessionActivity;
}
