import type { Session as SessionMessage, UpdateSessionRequest } from '@claude-cli/proto/platform/v1/sessions';
import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import { changesOf } from '@claude-cli/shared/guarded-update';
import type { Context } from '../context.ts';
import { mergedSettings } from '../merged-settings.ts';
import { aboutChange, changeSession } from './change-session.ts';
import { accessedNow, projectNames, toProto } from './session.ts';

/** Merge settings into a session; counts as an access. */
export async function updateSession(
  ctx: Context,
  { session_id, settings: given }: UpdateSessionRequest,
  call: Call,
): Promise<SessionMessage> {
  const session = await changeSession(ctx, session_id, call, (present) => {
    const settings = mergedSettings(present.settings, given);
    const changes = changesOf(present, { settings });
    const facts = { session_id, user_id: present.user_id, changes };
    const events = changes.length > 0 ? [newEvent('session.updated', aboutChange(present, call), facts)] : [];
    return { set: { settings, ...accessedNow() }, events };
  });
  return toProto(session, await projectNames(ctx, [session]));
}
