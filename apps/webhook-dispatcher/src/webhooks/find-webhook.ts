import { isAdmin } from '@claude-cli/shared/caller';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { type Webhook, webhookNotFound } from './webhook.ts';

/**
 * A webhook that the caller manages: its creator does, the owners of its project, and admins. To all others it is not there.
 * @throws PlatformError RESOURCE_NOT_FOUND
 */
export async function findWebhook(ctx: Context, webhook_id: string, call: Call): Promise<Webhook> {
  const webhook = await ctx.webhooks.findOne({ _id: webhook_id, deleted_at: null }).lean<Webhook>();
  if (!webhook || !(await isManagedBy(ctx, webhook, call))) throw webhookNotFound(webhook_id);
  return webhook;
}

async function isManagedBy(ctx: Context, { owner_id, project_id }: Webhook, call: Call): Promise<boolean> {
  if (isAdmin(call.caller) || owner_id === call.caller.user_id) return true;
  return project_id !== null && (await isOwnerIn(ctx, project_id, call));
}

async function isOwnerIn(ctx: Context, project_id: string, call: Call): Promise<boolean> {
  try {
    return (await ctx.access.check(project_id, call)).role === 'owner';
  } catch (thrown) {
    const { code } = PlatformError.from(thrown);
    if (code === 'PROJECT_ACCESS_DENIED' || code === 'PROJECT_NOT_FOUND') return false;
    throw thrown;
  }
}

/** Refuse a caller who does not own the project. @throws PlatformError PROJECT_NOT_FOUND, PROJECT_ACCESS_DENIED */
export async function requireOwnerOf(ctx: Context, project_id: string, call: Call): Promise<void> {
  const { role } = await ctx.access.check(project_id, call);
  if (role === 'owner') return;
  const details = { project_id, role, required: ['owner'] };
  throw new PlatformError('PROJECT_ACCESS_DENIED', 'Your role in this project does not allow this', details);
}
