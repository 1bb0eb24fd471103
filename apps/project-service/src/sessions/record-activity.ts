import type { RecordActivityRequest, RecordActivityResponse } from '@claude-cli/proto/platform/v1/sessions';
import { invalidField } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import { newId } from '@claude-cli/shared/ids';
import type { Context } from '../context.ts';
import { boundedDetails, maxRequestLength } from './bounded-details.ts';
import { trimHistory, trimmedAfter } from './history.ts';
import { useSession } from './use-session.ts';

/** Add a request or a message to the history of an active session of the caller; counts as an access. */
export async function recordActivity(
  ctx: Context,
  { session_id, action, request, status, details = {} }: RecordActivityRequest,
  call: Call,
): Promise<RecordActivityResponse> {
  if (action !== 'request' && action !== 'message') throw invalidField('action', 'must be request or message');
  const { activity_count } = await useSession(ctx, session_id, call, 1);
  await ctx.sessionHistory.create({
    _id: newId(),
    session_id,
    timestamp: new Date(),
    action,
    request: request.slice(0, maxRequestLength),
    status: status ?? null,
    request_id: call.requestId,
    details: boundedDetails(details),
  });
  if (activity_count % trimmedAfter === 0) await trimHistory(ctx.sessionHistory, session_id);
  return {};
}
