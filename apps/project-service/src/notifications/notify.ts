import { Batches } from '@claude-cli/shared/batches';
import { newEvent } from '@claude-cli/shared/events';
import { derivedId } from '@claude-cli/shared/ids';
import { insertEach, isDuplicateKey } from '@claude-cli/shared/mongo';
import type { Context } from '../context.ts';
import { takenAtOnce } from './concerned.ts';
import type { NotifyingEvent } from './content.ts';
import { type Content, everybody, type Notification, type NotificationModel } from './notification.ts';

/** Notifications that are kept, the newest so many of one user and of everybody, and up to trimmedAfter more per replica. */
export const kept = { user: 1_000, everybody: 100 };
/** After so many notifications for one audience what is too old is dropped. */
export const trimmedAfter = 500;

const dayMs = 24 * 60 * 60 * 1000;

/** Stores new notifications, those that come at the same time together; harmless for those that are there already. */
export type NotificationInserts = Batches<Notification, undefined>;

/** The insertions of a database. */
export function openNotificationInserts(notifications: NotificationModel): NotificationInserts {
  const insert = async (added: Notification[]) => {
    const failures = await insertEach(notifications.collection, added);
    return failures.map((error) => (isDuplicateKey(error) ? undefined : error));
  };
  return new Batches(insert, { most: takenAtOnce });
}

/**
 * Store the notification of an event for an audience, and tell the live channel of it. Nothing is lost when the process dies
 * in between, since the event is acknowledged after both and comes again otherwise; nothing is stored twice then, and what is
 * told twice carries the same id.
 */
export async function notify(ctx: Context, event: NotifyingEvent, content: Content, audience: string): Promise<void> {
  const created_at = new Date(event.time);
  const notification: Notification = {
    _id: derivedId(event.id, audience),
    audience,
    ...content,
    unread: true,
    dismissed: false,
    created_at,
    expires_at: new Date(created_at.getTime() + ctx.config.NOTIFICATION_TTL_DAYS * dayMs),
  };
  await ctx.newNotifications.add(notification);
  const user_id = audience === everybody ? null : audience;
  const facts = { notification_id: notification._id, user_id, ...content };
  const told = newEvent('notification.created', { actor: event.actor, project_id: null }, facts);
  await ctx.bus.publishEvent({ ...told, id: notification._id, time: event.time });
  if (ctx.trims.isDue(audience)) {
    await trim(ctx.notifications, audience, audience === everybody ? kept.everybody : kept.user);
  }
}

/** Drop all but the newest notifications of an audience. */
export async function trim(notifications: NotificationModel, audience: string, most: number): Promise<void> {
  // Names both, so that the index of the list gives the order.
  const all = { audience, dismissed: { $in: [false, true] } };
  const [oldest] = await notifications
    .find(all, { _id: 0, created_at: 1 })
    .sort({ created_at: -1 })
    .skip(most - 1)
    .limit(1)
    .lean();
  if (oldest) await notifications.deleteMany({ ...all, created_at: { $lt: oldest.created_at } });
}
