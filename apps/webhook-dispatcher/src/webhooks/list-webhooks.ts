import type { ListWebhooksRequest, ListWebhooksResponse } from '@claude-cli/proto/platform/v1/webhooks';
import { isAdmin } from '@claude-cli/shared/caller';
import { findPage } from '@claude-cli/shared/find-page';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { requireOwnerOf } from './find-webhook.ts';
import { toProto } from './webhook.ts';

/** A page of the webhooks of a project, or of those that the caller created; of all, for an admin. */
export async function listWebhooks(
  ctx: Context,
  { project_id, status, page, page_size }: ListWebhooksRequest,
  call: Call,
): Promise<ListWebhooksResponse> {
  if (project_id !== undefined) await requireOwnerOf(ctx, project_id, call);
  const whose = project_id === undefined ? createdBy(call) : { project_id };
  const filter = { ...whose, deleted_at: null, ...(status !== undefined && { status }) };
  const { documents, total } = await findPage(ctx.webhooks, filter, { page, page_size });
  return { items: documents.map((webhook) => toProto(webhook)), total };
}

function createdBy({ caller }: Call) {
  return isAdmin(caller) ? {} : { owner_id: caller.user_id };
}
