import { anonymous, type Caller, permissionsOf, requirePermission } from '@claude-cli/shared/caller';
import { PlatformError } from '@claude-cli/shared/errors';
import { newId } from '@claude-cli/shared/ids';
import type { Context } from '../context.ts';
import { usualTimeoutMs } from '../executions/execute-task.ts';
import { nextRunNumber } from '../executions/next-run-number.ts';
import { queueExecution } from '../executions/queue-execution.ts';
import { requireOutputRoom } from '../limits/stored-output.ts';
import { findTaskToChange } from '../tasks/find-task.ts';
import { taskAlreadyRunning } from '../tasks/task.ts';
import type { ScheduleTerms } from './schedule.ts';

/**
 * Queue a run of a schedule as the user who set it would do it now, by hand and without options.
 * @param execution_id the id that the execution gets
 * @throws PlatformError as for executeTask; AUTH_* when the account is gone, disabled or may not execute any more
 */
export async function queueScheduled(
  ctx: Context,
  task_id: string,
  { set_by, priority }: ScheduleTerms,
  execution_id: string,
): Promise<void> {
  const call = { caller: await callerOf(ctx, set_by), requestId: newId(), log: ctx.log };
  const { task, access } = await findTaskToChange(ctx, task_id, call);
  // Somebody has run it since its time came. News of this run would be taken for older.
  if (task.latest_run && task.latest_run.execution_id > execution_id) throw taskAlreadyRunning(task_id);
  const [run_number] = await Promise.all([
    nextRunNumber(ctx, task),
    requireOutputRoom(ctx, task.project_id, access.resource_limits?.storage_limit),
  ]);
  await queueExecution(ctx, task, {
    _id: execution_id,
    requested_by: set_by,
    priority,
    timeout_ms: usualTimeoutMs,
    max_attempts: 1,
    run_number,
  });
}

async function callerOf({ accounts }: Context, user_id: string): Promise<Caller> {
  const { role, disabled } = await accounts.checkUser({ user_id }, { caller: anonymous, requestId: newId() });
  if (disabled) throw new PlatformError('AUTH_ACCOUNT_DISABLED', 'The account is disabled');
  const caller = { user_id, role, permissions: permissionsOf[role] };
  requirePermission(caller, 'execute');
  return caller;
}
