import type { AbandonRequestRequest, AbandonRequestResponse } from '@claude-cli/proto/platform/v1/idempotency';
import type { Context } from '../context.ts';
import { idOf } from './kept-request.ts';

/** Give a key back, if the attempt still holds it and has not answered; else there is nothing to give back. */
export async function abandonRequest(ctx: Context, request: AbandonRequestRequest): Promise<AbandonRequestResponse> {
  await ctx.keptRequests.deleteOne({ _id: idOf(request), attempt_id: request.attempt_id, status: null });
  return {};
}
