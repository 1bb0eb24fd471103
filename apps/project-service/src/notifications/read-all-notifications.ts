import type {
  ReadAllNotificationsRequest,
  ReadAllNotificationsResponse,
} from '@claude-cli/proto/platform/v1/notifications';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { countUnread, filterOf, openInbox } from './inbox.ts';
import { markForUser } from './marks.ts';
import { everybody } from './notification.ts';

/** Mark the caller's notifications as read, up to a time. */
export async function readAllNotifications(
  ctx: Context,
  { before }: ReadAllNotificationsRequest,
  call: Call,
): Promise<ReadAllNotificationsResponse> {
  const inbox = await openInbox(ctx, call);
  const until = before === undefined ? {} : { $lte: new Date(before) };
  const unread = { ...filterOf(inbox, { unread: true }), created_at: { $gte: inbox.since, ...until } };
  const forEverybody = await ctx.notifications.find({ ...unread, audience: everybody }, { _id: 1 }).lean();
  const ids = forEverybody.map(({ _id }) => _id);
  if (ids.length > 0) await markForUser(ctx, inbox.user_id, 'read', ids);
  const { modifiedCount } = await ctx.notifications.updateMany(
    { ...unread, audience: inbox.user_id },
    { $set: { unread: false } },
  );
  const unread_count = await countUnread(ctx, await openInbox(ctx, call));
  return { read_count: ids.length + modifiedCount, unread_count };
}
