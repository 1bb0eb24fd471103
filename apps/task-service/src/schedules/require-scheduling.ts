import { requirePermission } from '@claude-cli/shared/caller';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import type { Task } from '../tasks/task.ts';

/** Scheduled tasks that a project may hold. */
const maxScheduled = 100;

/** Finds the scheduled tasks of a project. */
export function scheduledIn(project_id: string) {
  return { project_id, deleted_at: null, 'schedule.next_run_at': { $gt: new Date(0) } };
}

/**
 * Refuse to give a task a schedule. The bound keeps a project from flooding the queues; several who ask at the same moment can
 * exceed it by their number.
 * @param task the task as it is, or is to be
 * @throws PlatformError AUTH_INSUFFICIENT_PERMISSIONS when the caller may not execute tasks, PROJECT_LIMIT_EXCEEDED
 */
export async function requireScheduling(
  { tasks }: Context,
  { _id, project_id }: Pick<Task, '_id' | 'project_id'>,
  { caller }: Call,
): Promise<void> {
  requirePermission(caller, 'execute');
  const scheduled = await tasks.find(scheduledIn(project_id), { _id: 1 }).limit(maxScheduled).lean();
  if (scheduled.length < maxScheduled || scheduled.some((other) => other._id === _id)) return;
  const message = 'The project has as many scheduled tasks as it may';
  throw new PlatformError('PROJECT_LIMIT_EXCEEDED', message, { max_scheduled_tasks: maxScheduled });
}
