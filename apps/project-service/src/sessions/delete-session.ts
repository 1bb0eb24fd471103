import type { DeleteSessionRequest, DeleteSessionResponse } from '@claude-cli/proto/platform/v1/sessions';
import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { changeSession } from './change-session.ts';

/** Close a session of the caller. */
export async function deleteSession(
  ctx: Context,
  { session_id }: DeleteSessionRequest,
  call: Call,
): Promise<DeleteSessionResponse> {
  const { user_id } = call.caller;
  const deleted_at = new Date();
  await changeSession(ctx, session_id, call, ({ project_id, version }) => ({
    set: { deleted_at, deleted_by: user_id },
    events: [newEvent('session.closed', { actor: user_id, project_id, version: version + 1 }, { session_id, user_id })],
  }));
  return { message: 'Session deleted successfully', deleted_at: deleted_at.toISOString() };
}
