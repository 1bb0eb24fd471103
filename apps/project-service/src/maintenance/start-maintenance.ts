import type { Maintenance, StartMaintenanceRequest } from '@claude-cli/proto/platform/v1/maintenance';
import { invalidField } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { type Announcement, changeMaintenance, toProto } from './maintenance.ts';

/** Announce a maintenance, in place of one that was announced before. */
export async function startMaintenance(
  ctx: Context,
  request: StartMaintenanceRequest,
  { caller }: Call,
): Promise<Maintenance> {
  const { user_id: actor, session_id } = caller;
  const announced = announcementOf(request, actor, new Date());
  return toProto(await changeMaintenance(ctx, { actor, session_id }, () => announced));
}

function announcementOf(request: StartMaintenanceRequest, announced_by: string, now: Date): Announcement {
  const starts_at = request.starts_at === undefined ? now : new Date(request.starts_at);
  const ends_at = request.ends_at === undefined ? null : new Date(request.ends_at);
  if (ends_at && ends_at <= now) throw invalidField('ends_at', 'must lie ahead');
  if (ends_at && ends_at <= starts_at) throw invalidField('ends_at', 'must lie after starts_at');
  return { message: request.message ?? null, starts_at, ends_at, announced_by };
}
