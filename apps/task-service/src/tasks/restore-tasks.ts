import type { RestoredTask, UnrestoredTask } from '@claude-cli/proto/platform/v1/sessions';
import type { RestoreTasksRequest, RestoreTasksResponse } from '@claude-cli/proto/platform/v1/tasks';
import { invalidField, PlatformError } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import { inParallel } from '@claude-cli/shared/in-parallel';
import type { Context } from '../context.ts';
import { changesIn } from '../history/history.ts';
import { recordWaiting } from '../history/waiting-entries.ts';
import { changeTask } from './change-task.ts';
import { addChanges, restorationOf, type TaskChanges } from './session-changes.ts';

/** Tasks that one call restores; of more it says that they were left. */
const maxTasks = 500;
/** Tasks that one call changes at once. */
const width = 8;
/** A status brings its progress with it, so the two are restored together or not at all. */
const statusFields = new Set(['status', 'progress_percentage']);

/** Bring back the editable fields of the tasks that the caller has changed in a session since a point in time. */
export async function restoreTasks(
  ctx: Context,
  { session_id, restore_point }: RestoreTasksRequest,
  call: Call,
): Promise<RestoreTasksResponse> {
  const since = new Date(restore_point ?? Number.NaN);
  if (Number.isNaN(since.getTime())) throw invalidField('restore_point', 'is required', 'VALIDATION_REQUIRED_FIELD');
  await recordWaiting(ctx, session_id, since);
  const { byTask, left } = await changesSince(ctx, session_id, call.caller.user_id, since);
  const outcomes = await inParallel([...byTask], width, ([task_id, changes]) => restored(ctx, task_id, changes, call));
  return {
    tasks: outcomes.flatMap((outcome) => outcome.task ?? []),
    skipped: [...outcomes.flatMap((outcome) => outcome.skipped), ...left],
  };
}

async function changesSince(ctx: Context, session_id: string, user_id: string, since: Date) {
  const byTask = new Map<string, TaskChanges>();
  const tooMany = new Set<string>();
  const entries = ctx.history
    .find({ session_id, user_id, timestamp: { $gt: since } })
    .sort({ timestamp: 1, _id: 1 })
    .lean()
    .cursor({ batchSize: 200 });
  for await (const entry of entries) {
    const made = changesIn(entry);
    if (made.length === 0) continue;
    const known = byTask.get(entry.task_id);
    if (!known && byTask.size >= maxTasks) {
      if (tooMany.size < maxTasks) tooMany.add(entry.task_id);
      continue;
    }
    const changes = known ?? new Map();
    addChanges(changes, made);
    byTask.set(entry.task_id, changes);
  }
  const reason = `More than ${maxTasks} tasks were changed`;
  const left = [...tooMany].map((task_id) => ({ task_id, code: 'RESOURCE_LIMIT_EXCEEDED', reason }));
  return { byTask, left };
}

interface Outcome {
  task?: RestoredTask;
  skipped: UnrestoredTask[];
}

async function restored(
  ctx: Context,
  task_id: string,
  changes: TaskChanges,
  call: Call,
  without: ReadonlySet<string> = new Set(),
): Promise<Outcome> {
  let changedByOthers: string[] = [];
  try {
    const { changes: made } = await changeTask(ctx, task_id, call, (task) => {
      const restoration = restorationOf(task, changes, without);
      changedByOthers = restoration.changedByOthers;
      return restoration.fields;
    });
    const reason = `Changed since by others: ${changedByOthers.join(', ')}`;
    return {
      ...(made.length > 0 && { task: { task_id, fields: made.map(({ field }) => field) } }),
      skipped: changedByOthers.length > 0 ? [{ task_id, code: 'RESOURCE_CONFLICT', reason }] : [],
    };
  } catch (thrown) {
    const error = PlatformError.from(thrown);
    if (error.isFault) call.log.error({ err: error.cause ?? error, task_id }, 'a task could not be restored');
    const skipped = { task_id, code: error.code, reason: error.message };
    const isOfStatus = error.code === 'TASK_ALREADY_RUNNING' || error.details.field === 'status';
    if (!isOfStatus || without.size > 0) return { skipped: [skipped] };
    const others = await restored(ctx, task_id, changes, call, statusFields);
    return { ...others, skipped: [skipped, ...others.skipped] };
  }
}
