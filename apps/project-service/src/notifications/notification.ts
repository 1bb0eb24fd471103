import type { Notification as NotificationMessage } from '@claude-cli/proto/platform/v1/notifications';
import type { EventCatalog } from '@claude-cli/shared/events';
import { type Connection, type Model, Schema } from 'mongoose';

/** Audience of what concerns everybody: one document for all, who mark it for themselves; see marks.ts. */
export const everybody = 'everybody';

/** What a notification says. */
export type Content = Omit<EventCatalog['notification.created'], 'notification_id' | 'user_id'>;

/** A stored notification. */
export interface Notification extends Content {
  /** Derived from event and audience, so that an event that comes twice is told once. */
  _id: string;
  /** Id of a user, or {@link everybody}. */
  audience: string;
  /** Of everybody's, always true, as the next is always false: who has read or dismissed one is among the marks. */
  unread: boolean;
  /** Dismissed ones stay until they expire, so that their event makes no new one when it comes again. */
  dismissed: boolean;
  /** When it happened. */
  created_at: Date;
  expires_at: Date;
}

/** Notifications. */
export type NotificationModel = Model<Notification>;

const schema = new Schema<Notification>(
  {
    _id: { type: String, required: true },
    audience: { type: String, required: true },
    kind: { type: String, required: true },
    level: { type: String, required: true },
    title: { type: String, required: true },
    message: { type: String, required: true },
    actions: { type: [Schema.Types.Mixed], default: [] } as never,
    project_id: { type: String, default: null },
    task_id: { type: String, default: null },
    unread: { type: Boolean, required: true },
    dismissed: { type: Boolean, required: true },
    created_at: { type: Date, required: true },
    expires_at: { type: Date, required: true },
  },
  { collection: 'notifications', versionKey: false },
);
// Flags are no dates that may be null, so that counting what is unread reads nothing but the index.
schema.index({ audience: 1, dismissed: 1, created_at: -1, _id: -1 });
schema.index({ audience: 1, dismissed: 1, unread: 1, created_at: -1, _id: -1 });
schema.index({ expires_at: 1 }, { expireAfterSeconds: 0 });

/** The notifications of a database. */
export function notificationModel(connection: Connection): NotificationModel {
  return connection.model<Notification>('Notification', schema);
}

/** A notification as the contract shows it. */
export function toProto(notification: Notification, read: boolean): NotificationMessage {
  const { _id: id, kind, level, title, message, actions, project_id, task_id, created_at } = notification;
  return {
    id,
    kind,
    level,
    title,
    message,
    actions,
    project_id: project_id ?? undefined,
    task_id: task_id ?? undefined,
    created_at: created_at.toISOString(),
    read,
  };
}
