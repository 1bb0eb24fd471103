import type { CreateSessionRequest, Session as SessionMessage } from '@claude-cli/proto/platform/v1/sessions';
import { idForNew, makeOnce } from '@claude-cli/shared/creation';
import { PlatformError } from '@claude-cli/shared/errors';
import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { findProject } from '../projects/find-project.ts';
import { accessedNow, filterOf, maxActiveSessions, projectNames, type Session, toProto } from './session.ts';

/** Open a session of the caller, in a project that the caller may see or in none. */
export async function createSession(ctx: Context, request: CreateSessionRequest, call: Call): Promise<SessionMessage> {
  if (request.project_id !== undefined) await findProject(ctx, request.project_id, call);
  const find = async (_id: string) => {
    const made = await ctx.sessions.findOne({ _id, user_id: call.caller.user_id }).lean();
    return made ? toProto(made, await projectNames(ctx, [made])) : undefined;
  };
  return makeOnce(call, find, () => insertSession(ctx, request, call));
}

async function insertSession(ctx: Context, request: CreateSessionRequest, call: Call): Promise<SessionMessage> {
  const { user_id, session_id } = call.caller;
  const active = await ctx.sessions.countDocuments({ user_id, ...filterOf('active') });
  if (active >= maxActiveSessions) {
    throw new PlatformError('RESOURCE_LIMIT_EXCEEDED', 'Too many active sessions', { limit: maxActiveSessions });
  }
  const _id = idForNew(call);
  const project_id = request.project_id ?? null;
  const about = { actor: user_id, project_id, version: 1, session_id };
  const created = newEvent('session.created', about, { session_id: _id, user_id });
  // The same moment as in the history, which a restore to the creation looks for.
  const now = new Date(created.time);
  const session: Session = {
    _id,
    user_id,
    project_id,
    created_at: now,
    updated_at: now,
    ...accessedNow(now),
    settings: request.settings ?? {},
    activity_count: 0,
    version: 1,
    deleted_at: null,
    deleted_by: null,
    outbox: [created],
  };
  await ctx.sessions.create(session);
  void ctx.sessionOutbox.flush(session);
  return toProto(session, await projectNames(ctx, [session]));
}
