import type {
  DismissNotificationRequest,
  DismissNotificationResponse,
} from '@claude-cli/proto/platform/v1/notifications';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { findIn, openInbox } from './inbox.ts';
import { markForUser } from './marks.ts';
import { everybody } from './notification.ts';

/** Let a notification of the caller be listed no more. */
export async function dismissNotification(
  ctx: Context,
  { notification_id }: DismissNotificationRequest,
  call: Call,
): Promise<DismissNotificationResponse> {
  const inbox = await openInbox(ctx, call);
  const { audience } = await findIn(ctx, inbox, notification_id);
  if (audience === everybody) await markForUser(ctx, inbox.user_id, 'dismissed', [notification_id]);
  else await ctx.notifications.updateOne({ _id: notification_id }, { $set: { dismissed: true } });
  return { message: 'Notification dismissed successfully', dismissed_at: new Date().toISOString() };
}
