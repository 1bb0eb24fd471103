import type { ListSessionsRequest, ListSessionsResponse } from '@claude-cli/proto/platform/v1/sessions';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { filterOf, projectNames, toProto } from './session.ts';

const maxSessions = 100;

/** The caller's sessions, newest first. */
export async function listSessions(
  ctx: Context,
  { status, project_id }: ListSessionsRequest,
  call: Call,
): Promise<ListSessionsResponse> {
  const filter = {
    user_id: call.caller.user_id,
    ...(status === undefined ? {} : filterOf(status)),
    ...(project_id === undefined ? {} : { project_id }),
  };
  const [sessions, total] = await Promise.all([
    ctx.sessions.find(filter).sort({ created_at: -1, _id: -1 }).limit(maxSessions).lean(),
    ctx.sessions.countDocuments(filter),
  ]);
  const names = await projectNames(ctx, sessions);
  return { sessions: sessions.map((session) => toProto(session, names)), total };
}
