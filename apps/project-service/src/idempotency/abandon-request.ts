import type { AbandonRequestRequest, AbandonRequestResponse } from '@claude-cli/proto/platform/v1/idempotency';
import type { Context } from '../context.ts';
import { idOf } from './kept-request.ts';

const nothing = { deletedCount: 0 };

/**
 * Give a key back, if the attempt still holds it and has not answered; else there is nothing to give back. What this attempt may
 * have done, or an earlier one, stays unknown: whoever repeats the request is told so.
 */
export async function abandonRequest(ctx: Context, request: AbandonRequestRequest): Promise<AbandonRequestResponse> {
  const held = { _id: idOf(request), attempt_id: request.attempt_id, status: null };
  const isUndone = { ...held, again: { $ne: true } };
  const { deletedCount } = request.may_be_done ? nothing : await ctx.keptRequests.deleteOne(isUndone);
  if (deletedCount === 0) await ctx.keptRequests.updateOne(held, { $set: { lease_until: new Date() } });
  return {};
}
