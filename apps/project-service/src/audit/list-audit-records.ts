import type { ListAuditRecordsRequest, ListAuditRecordsResponse } from '@claude-cli/proto/platform/v1/audit';
import { requirePermission } from '@claude-cli/shared/caller';
import { createdBetween, findPage } from '@claude-cli/shared/find-page';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { QueryFilter } from 'mongoose';
import type { Context } from '../context.ts';
import { type AuditRecord, toProto } from './record.ts';

/** A page of the records that match, newest first. */
export async function listAuditRecords(
  ctx: Context,
  request: ListAuditRecordsRequest,
  call: Call,
): Promise<ListAuditRecordsResponse> {
  requirePermission(call.caller, 'admin');
  const { page, page_size } = request;
  const { documents, total } = await findPage(ctx.auditRecords, filterOf(request), { page, page_size });
  return { items: documents.map(toProto), total };
}

/** The filter that finds the records asked for. */
export function filterOf(request: ListAuditRecordsRequest): QueryFilter<AuditRecord> {
  const { actor, action, target_id, outcome } = request;
  const filter: QueryFilter<AuditRecord> = { ...createdBetween(request) };
  if (actor !== undefined) filter.actor = actor;
  if (action !== undefined) filter.action = action as AuditRecord['action'];
  if (target_id !== undefined) filter.target_id = target_id;
  if (outcome !== undefined) filter.outcome = outcome;
  return filter;
}
