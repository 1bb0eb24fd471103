import type { ListNotificationsRequest, ListNotificationsResponse } from '@claude-cli/proto/platform/v1/notifications';
import { findPage } from '@claude-cli/shared/find-page';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { countUnread, filterOf, isRead, openInbox } from './inbox.ts';
import { toProto } from './notification.ts';

/** A page of the caller's notifications, and how many were not read. */
export async function listNotifications(
  ctx: Context,
  request: ListNotificationsRequest,
  call: Call,
): Promise<ListNotificationsResponse> {
  const { page, page_size } = request;
  const inbox = await openInbox(ctx, call);
  const [{ documents, total }, unread_count] = await Promise.all([
    findPage(ctx.notifications, filterOf(inbox, request), { page, page_size }),
    countUnread(ctx, inbox),
  ]);
  return { items: documents.map((each) => toProto(each, isRead(inbox, each))), total, unread_count };
}
