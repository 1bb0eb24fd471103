import type { RecordRefusalsRequest, RecordRefusalsResponse, Refusal } from '@claude-cli/proto/platform/v1/audit';
import { requirePermission } from '@claude-cli/shared/caller';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { keep, keepingOf, type NewRecord } from './write.ts';

/** Keep what a gateway refused. */
export async function recordRefusals(
  ctx: Context,
  { refusals }: RecordRefusalsRequest,
  call: Call,
): Promise<RecordRefusalsResponse> {
  requirePermission(call.caller, 'admin');
  await Promise.all(refusals.map((refusal) => keep(keepingOf(ctx), recordOf(refusal))));
  return {};
}

function recordOf({ id, user_id, endpoint, required, address, count, first_at, last_at }: Refusal): NewRecord {
  const time = first_at === undefined ? new Date() : new Date(first_at);
  return {
    id,
    time,
    last_at: last_at === undefined ? time : new Date(last_at),
    count,
    actor: user_id,
    action: 'endpoint.refused',
    outcome: 'refused',
    target: { type: 'endpoint', id: endpoint },
    address: address ?? null,
    request_id: null,
    details: { required },
  };
}
