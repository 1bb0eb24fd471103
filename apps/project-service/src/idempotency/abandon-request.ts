import type { AbandonRequestRequest, AbandonRequestResponse } from '@claude-cli/proto/platform/v1/idempotency';
import type { Context } from '../context.ts';
import { idOf } from './kept-request.ts';

/**
 * Give a key back, if the attempt still holds it and has not answered; else there is nothing to give back. What was done by an
 * earlier attempt, which died, stays unknown: whoever repeats the request is told so.
 */
export async function abandonRequest(ctx: Context, request: AbandonRequestRequest): Promise<AbandonRequestResponse> {
  const held = { _id: idOf(request), attempt_id: request.attempt_id, status: null };
  const { deletedCount } = await ctx.keptRequests.deleteOne({ ...held, again: { $ne: true } });
  if (deletedCount === 0) await ctx.keptRequests.updateOne(held, { $set: { lease_until: new Date() } });
  return {};
}
