import type { AnyEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import { type Decision, guardedUpdate } from '@claude-cli/shared/guarded-update';
import type { Context } from '../context.ts';
import { type Session, sessionNotFound, statusOf } from './session.ts';

/** Change an active session of the caller. @throws PlatformError RESOURCE_NOT_FOUND for closed, expired and foreign ones */
export async function changeSession(
  ctx: Context,
  session_id: string,
  call: Call,
  decide: (session: Session) => Decision<Session, AnyEvent>,
): Promise<Session> {
  const notFound = () => sessionNotFound(session_id);
  const { document } = await guardedUpdate(ctx.sessions, session_id, notFound, (session) => {
    if (session.user_id !== call.caller.user_id || statusOf(session) !== 'active') throw notFound();
    return decide(session);
  });
  if (document.outbox.length > 0) void ctx.sessionOutbox.flush(document);
  return document;
}
