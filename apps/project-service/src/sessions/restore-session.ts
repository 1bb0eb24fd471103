import type { RestoredSession, RestoreSessionRequest } from '@claude-cli/proto/platform/v1/sessions';
import type { RestoreTasksResponse } from '@claude-cli/proto/platform/v1/tasks';
import { requirePermission } from '@claude-cli/shared/caller';
import { type AnyEvent, newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import { changesOf } from '@claude-cli/shared/guarded-update';
import type { Context } from '../context.ts';
import { requireRoom } from '../outbox-room.ts';
import { aboutChange, changeSession } from './change-session.ts';
import { requireRestorePoint, settingsAt } from './restore-point.ts';
import { accessedNow } from './session.ts';
import { useSession } from './use-session.ts';

/** How long the restoring of tasks may take, in milliseconds: less than the endpoint's deadline. */
const tasksDeadlineMs = 25_000;

/**
 * Bring an active session of the caller back to a point in time. Tasks come first: when they cannot be restored, nothing is,
 * and repeating the request is harmless, as it finds done what was done. Settings and all entries of the history are one
 * update. What a restore changed is changed by the session, so that another one undoes it.
 */
export async function restoreSession(
  ctx: Context,
  request: RestoreSessionRequest,
  call: Call,
): Promise<RestoredSession> {
  const { session_id, include_tasks = false, include_settings = true } = request;
  if (include_tasks) requirePermission(call.caller, 'write');
  const session = await useSession(ctx, session_id, call);
  requireRoom(session);
  const restorePoint = requireRestorePoint(request.restore_point, session.created_at);
  const wanted = include_settings ? { settings: await settingsAt(ctx, session, restorePoint) } : {};
  const restore_point = restorePoint.toISOString();
  const { tasks, skipped } = include_tasks
    ? await restoreTasks(ctx, session_id, restore_point, call)
    : { tasks: [], skipped: [] };

  let settings_restored = false;
  const facts = { session_id, user_id: call.caller.user_id, restore_point };
  const restored = await changeSession(ctx, session_id, call, (present) => {
    const about = aboutChange(present, call);
    const changes = changesOf(present, wanted);
    settings_restored = changes.length > 0;
    const events: AnyEvent[] = settings_restored ? [newEvent('session.restored', about, { ...facts, changes })] : [];
    for (const { task_id, fields } of tasks) {
      events.push(newEvent('session.task_restored', about, { ...facts, task_id, fields }));
    }
    return { set: { ...wanted, ...accessedNow() }, events };
  });
  return {
    session_id,
    restore_point,
    restored_at: restored.updated_at.toISOString(),
    settings: restored.settings,
    settings_restored,
    tasks,
    skipped,
  };
}

/** As from inside the session, whichever the request named: what is restored is changed in this session. */
function restoreTasks(
  ctx: Context,
  session_id: string,
  restore_point: string,
  call: Call,
): Promise<RestoreTasksResponse> {
  const inside = { ...call, caller: { ...call.caller, session_id } };
  return ctx.tasks.restoreTasks({ session_id, restore_point }, inside, { deadlineMs: tasksDeadlineMs });
}
