import type { RenewLeaseRequest, RenewLeaseResponse } from '@claude-cli/proto/platform/v1/executions';
import { newEvent } from '@claude-cli/shared/events';
import { guardedUpdate } from '@claude-cli/shared/guarded-update';
import type { Context } from '../context.ts';
import { factsOf, longFields, taskNotFound } from '../tasks/task.ts';
import type { Execution } from './execution.ts';
import { leaseEnd } from './take-turn.ts';

/** Keep a claimed execution for another lease. Refused once it was asked to be cancelled, so a lost order is heard here. */
export async function renewLease(ctx: Context, request: RenewLeaseRequest): Promise<RenewLeaseResponse> {
  const { execution_id, generation, runner_id, progress_percentage } = request;
  const held = { _id: execution_id, status: 'running' as const, generation, 'lease.runner_id': runner_id };
  const kept = await ctx.executions
    .findOneAndUpdate({ ...held, cancel_request: null }, { $set: { 'lease.expires_at': leaseEnd(ctx) } })
    .lean();
  if (kept && progress_percentage !== undefined) await reportProgress(ctx, kept, progress_percentage);
  return { held: kept !== null };
}

async function reportProgress(ctx: Context, { _id, task_id, project_id, requested_by }: Execution, progress: number) {
  const { document, changed } = await guardedUpdate(
    ctx.tasks,
    task_id,
    () => taskNotFound(task_id),
    (task) => {
      if (task.status !== 'running' || task.progress_percentage >= progress) return undefined;
      const about = { actor: requested_by, project_id, version: task.version + 1 };
      const set = { progress_percentage: progress };
      const facts = { ...factsOf({ ...task, ...set }, [], new Date()), execution_id: _id };
      return { set, events: [newEvent('task.progress', about, facts)] };
    },
    { without: longFields },
  );
  if (changed) void ctx.taskOutbox.flush(document);
}
