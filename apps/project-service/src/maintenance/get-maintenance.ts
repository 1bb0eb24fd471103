import type { GetMaintenanceRequest, Maintenance } from '@claude-cli/proto/platform/v1/maintenance';
import type { Context } from '../context.ts';
import { readMaintenance, toProto } from './maintenance.ts';

/** Whether there is a maintenance. */
export async function getMaintenance(ctx: Context, _: GetMaintenanceRequest): Promise<Maintenance> {
  return toProto(await readMaintenance(ctx));
}
