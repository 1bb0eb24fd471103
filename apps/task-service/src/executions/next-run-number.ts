import type { Context } from '../context.ts';
import type { Task } from '../tasks/task.ts';

/** Number of the next run of a task, from 1. */
export async function nextRunNumber({ executions }: Context, { _id, latest_run }: Task): Promise<number> {
  if (latest_run === null) return 1;
  return 1 + (latest_run.run_number ?? (await executions.countDocuments({ task_id: _id })));
}
