import type { DeleteSessionRequest, DeleteSessionResponse } from '@claude-cli/proto/platform/v1/sessions';
import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { aboutChange, changeSession } from './change-session.ts';

/** Close a session of the caller. */
export async function deleteSession(
  ctx: Context,
  { session_id }: DeleteSessionRequest,
  call: Call,
): Promise<DeleteSessionResponse> {
  const { user_id } = call.caller;
  const deleted_at = new Date();
  await changeSession(ctx, session_id, call, (session) => ({
    set: { deleted_at, deleted_by: user_id },
    events: [newEvent('session.closed', aboutChange(session, call), { session_id, user_id })],
  }));
  return { message: 'Session deleted successfully', deleted_at: deleted_at.toISOString() };
}
