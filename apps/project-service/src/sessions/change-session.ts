import type { AnyEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import { type Decision, guardedUpdate } from '@claude-cli/shared/guarded-update';
import type { Context } from '../context.ts';
import { requireRoom } from '../outbox-room.ts';
import { trimHistory, trimmedAfter } from './history.ts';
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
    if (session.user_id !== call.caller.user_id) throw notFound();
    const status = statusOf(session);
    if (status !== 'active') throw sessionNotFound(session_id, status);
    requireRoom(session);
    return decide(session);
  });
  if (document.outbox.length > 0) void ctx.sessionOutbox.flush(document);
  if (document.version % trimmedAfter === 0) await trimHistory(ctx.sessionHistory, session_id);
  return document;
}

/** What the event of the next change of a session carries in its envelope. */
export function aboutChange({ project_id, version }: Pick<Session, 'project_id' | 'version'>, { caller }: Call) {
  return { actor: caller.user_id, project_id, version: version + 1, session_id: caller.session_id };
}
