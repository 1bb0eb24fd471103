import type { Session as SessionMessage, UpdateSessionRequest } from '@claude-cli/proto/platform/v1/sessions';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { changeSession } from './change-session.ts';
import { accessedNow, projectNames, toProto } from './session.ts';

/** Merge settings into a session; counts as an access. */
export async function updateSession(ctx: Context, request: UpdateSessionRequest, call: Call): Promise<SessionMessage> {
  const session = await changeSession(ctx, request.session_id, call, ({ settings }) => ({
    set: { settings: { ...settings, ...request.settings }, ...accessedNow() },
    events: [],
  }));
  return toProto(session, await projectNames(ctx, [session]));
}
