import type { CreateSessionRequest, Session as SessionMessage } from '@claude-cli/proto/platform/v1/sessions';
import { PlatformError } from '@claude-cli/shared/errors';
import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import { newId } from '@claude-cli/shared/ids';
import type { Context } from '../context.ts';
import { projectNotFound, roleIn } from '../projects/project.ts';
import { accessedNow, filterOf, maxActiveSessions, projectNames, type Session, toProto } from './session.ts';

/** Open a session of the caller, in a project that the caller may see or in none. */
export async function createSession(ctx: Context, request: CreateSessionRequest, call: Call): Promise<SessionMessage> {
  const { user_id } = call.caller;
  if (request.project_id !== undefined) {
    const project = await ctx.projects.findOne({ _id: request.project_id, deleted_at: null }, { members: 1 }).lean();
    if (!project) throw projectNotFound(request.project_id);
    roleIn(project, call.caller);
  }
  const active = await ctx.sessions.countDocuments({ user_id, ...filterOf('active') });
  if (active >= maxActiveSessions) {
    throw new PlatformError('RESOURCE_LIMIT_EXCEEDED', 'Too many active sessions', { limit: maxActiveSessions });
  }
  const now = new Date();
  const session: Session = {
    _id: newId(),
    user_id,
    project_id: request.project_id ?? null,
    created_at: now,
    updated_at: now,
    ...accessedNow(now),
    settings: request.settings ?? {},
    version: 1,
    deleted_at: null,
    deleted_by: null,
    outbox: [],
  };
  const about = { actor: user_id, project_id: session.project_id, version: 1 };
  session.outbox.push(newEvent('session.created', about, { session_id: session._id, user_id }));
  await ctx.sessions.create(session);
  void ctx.sessionOutbox.flush(session);
  return toProto(session, await projectNames(ctx, [session]));
}
