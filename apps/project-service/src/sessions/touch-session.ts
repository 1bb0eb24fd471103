import type { Session as SessionMessage, TouchSessionRequest } from '@claude-cli/proto/platform/v1/sessions';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { projectNames, toProto } from './session.ts';
import { useSession } from './use-session.ts';

/** Count a use of an active session of the caller. */
export async function touchSession(
  ctx: Context,
  { session_id }: TouchSessionRequest,
  call: Call,
): Promise<SessionMessage> {
  const session = await useSession(ctx, session_id, call);
  return toProto(session, await projectNames(ctx, [session]));
}
