import type { GetTaskHistoryRequest, TaskHistory } from '@claude-cli/proto/platform/v1/tasks';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { findTask } from '../tasks/find-task.ts';
import { historyOf } from './history.ts';
import { userNames } from './user-names.ts';

const maxEntries = 1_000;

/** Everything that happened to a task. */
export async function getTaskHistory(
  ctx: Context,
  { task_id }: GetTaskHistoryRequest,
  call: Call,
): Promise<TaskHistory> {
  const task = await findTask(ctx, task_id, call);
  const entries = await historyOf(ctx, task, maxEntries);
  const actors = entries.map(({ user_id }) => user_id);
  const nameOf = await userNames(ctx, actors, call);
  return {
    task_id,
    history: entries.map(({ _id: id, timestamp, action, user_id, details }) => ({
      id,
      timestamp: timestamp.toISOString(),
      action,
      user_id,
      user_name: nameOf(user_id),
      details,
    })),
  };
}
