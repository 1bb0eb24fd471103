import { serviceCaller } from '@claude-cli/shared/caller';
import type { Context } from '../context.ts';
import { changeMaintenance, noMaintenance, readMaintenance, statusAt } from './maintenance.ts';

const { user_id: actor } = serviceCaller('project-service');

/**
 * Tell that the maintenance became active or ran out, once its time has come. Every replica looks; the guard lets one of
 * them write, and with the status that it wrote the others see that there is nothing left to tell.
 */
export async function tellTransition(ctx: Context): Promise<void> {
  const seen = await readMaintenance(ctx);
  if (statusAt(seen, new Date()) === seen.told_status) return;
  await changeMaintenance(ctx, { actor }, (maintenance, now) => {
    const status = statusAt(maintenance, now);
    if (status === maintenance.told_status) return undefined;
    return status === 'none' ? noMaintenance : maintenance;
  });
}
