import type { Notification, ReadNotificationRequest } from '@claude-cli/proto/platform/v1/notifications';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { findIn, openInbox } from './inbox.ts';
import { markForUser } from './marks.ts';
import { everybody, toProto } from './notification.ts';

/** Mark a notification of the caller as read. */
export async function readNotification(
  ctx: Context,
  { notification_id }: ReadNotificationRequest,
  call: Call,
): Promise<Notification> {
  const inbox = await openInbox(ctx, call);
  const notification = await findIn(ctx, inbox, notification_id);
  if (notification.audience === everybody) await markForUser(ctx, inbox.user_id, 'read', [notification_id]);
  else await ctx.notifications.updateOne({ _id: notification_id }, { $set: { unread: false } });
  return toProto(notification, true);
}
