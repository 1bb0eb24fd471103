import type { EndMaintenanceRequest, Maintenance } from '@claude-cli/proto/platform/v1/maintenance';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { changeMaintenance, noMaintenance, toProto } from './maintenance.ts';

/** End the maintenance, or call it off. */
export async function endMaintenance(ctx: Context, _: EndMaintenanceRequest, { caller }: Call): Promise<Maintenance> {
  const by = { actor: caller.user_id, session_id: caller.session_id };
  return toProto(await changeMaintenance(ctx, by, ({ starts_at }) => (starts_at ? noMaintenance : undefined)));
}
