import type { GetSessionRequest, Session as SessionMessage } from '@claude-cli/proto/platform/v1/sessions';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { projectNames, sessionNotFound, toProto } from './session.ts';

/** One session of the caller, whatever its status. Looking at it is no access. */
export async function getSession(ctx: Context, { session_id }: GetSessionRequest, call: Call): Promise<SessionMessage> {
  const session = await ctx.sessions.findOne({ _id: session_id, user_id: call.caller.user_id }).lean();
  if (!session) throw sessionNotFound(session_id);
  return toProto(session, await projectNames(ctx, [session]));
}
