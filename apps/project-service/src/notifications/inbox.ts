import type { Notification_Kind } from '@claude-cli/proto/platform/v1/notifications';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import { unwantedKinds } from '@claude-cli/shared/wanted-notifications';
import type { QueryFilter } from 'mongoose';
import type { Context } from '../context.ts';
import { accountGone } from '../users/current-user.ts';
import type { Marks } from './marks.ts';
import { everybody, type Notification } from './notification.ts';

/** What decides which notifications a user has. */
export interface Inbox {
  user_id: string;
  /** When the account was made: what was for everybody before that does not concern it. */
  since: Date;
  unwanted: Notification_Kind[];
  marks: Pick<Marks, 'read' | 'dismissed'>;
}

/** The inbox of the caller. @throws PlatformError AUTH_TOKEN_INVALID when the account is gone */
export async function openInbox(ctx: Context, { caller: { user_id } }: Call): Promise<Inbox> {
  const [user, marks] = await Promise.all([
    ctx.users.findOne({ _id: user_id }, { created_at: 1, preferences: 1 }).lean(),
    ctx.notificationMarks.findOne({ _id: user_id }).lean(),
  ]);
  if (!user) throw accountGone();
  const unwanted = unwantedKinds(user.preferences);
  return { user_id, since: user.created_at, unwanted, marks: marks ?? { read: [], dismissed: [] } };
}

/** The filter that finds what is in an inbox. @param unread only what was not read, or only what was */
export function filterOf(
  { user_id, since, unwanted, marks }: Inbox,
  { unread, level }: { unread?: boolean | undefined; level?: Notification['level'] | undefined } = {},
): QueryFilter<Notification> {
  const hidden = unread ? [...marks.dismissed, ...marks.read] : marks.dismissed;
  const filter: QueryFilter<Notification> = {
    audience: { $in: [user_id, everybody] },
    dismissed: false,
    created_at: { $gte: since },
  };
  if (hidden.length > 0) filter._id = { $nin: hidden };
  if (unwanted.length > 0) filter.kind = { $nin: unwanted };
  if (level !== undefined) filter.level = level;
  if (unread === true) filter.unread = true;
  if (unread === false) filter.$or = [{ unread: false }, { _id: { $in: marks.read } }];
  return filter;
}

/** Whether its user has marked a notification as read. */
export function isRead(
  { marks }: Pick<Inbox, 'marks'>,
  { _id, unread }: Pick<Notification, '_id' | 'unread'>,
): boolean {
  return !unread || marks.read.includes(_id);
}

/** How many in an inbox were not read. */
export function countUnread(ctx: Context, inbox: Inbox): Promise<number> {
  return ctx.notifications.countDocuments(filterOf(inbox, { unread: true })).exec();
}

/** One of an inbox. @throws PlatformError RESOURCE_NOT_FOUND, also for what is somebody else's */
export async function findIn(ctx: Context, inbox: Inbox, notification_id: string): Promise<Notification> {
  const found = await ctx.notifications.findOne({ $and: [{ _id: notification_id }, filterOf(inbox)] }).lean();
  if (found) return found;
  throw new PlatformError('RESOURCE_NOT_FOUND', 'The notification does not exist', { notification_id });
}
