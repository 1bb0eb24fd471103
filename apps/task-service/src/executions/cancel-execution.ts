import { setTimeout } from 'node:timers/promises';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Context } from '../context.ts';
import { endExecution } from './end-execution.ts';
import { type CancelRequest, type Execution, entry } from './execution.ts';

/** How long the runner may take to stop the process before the execution is taken from it, in milliseconds. */
const stopWithinMs = 7_000;
const pollMs = 50;
/** How a run ends that was cancelled. */
export const cancelled = { status: 'cancelled', exit_code: null, error: null, result: null } as const;

/**
 * Cancel an active execution and wait for its end. A queued one never starts. For a running one the runner is told; one
 * that does not answer in time loses the execution, and stops the process when it next tries to keep its lease.
 * @throws PlatformError RESOURCE_CONFLICT when it ended otherwise before it could be stopped
 */
export async function cancelExecution(
  ctx: Context,
  execution: Execution,
  cancel_request: CancelRequest,
): Promise<void> {
  if (await cancelWaiting(ctx, execution, cancel_request)) return;
  const { _id } = execution;
  const asked = await ctx.executions
    .findOneAndUpdate(
      { _id, active: true },
      { $set: { cancel_request }, $push: { outbox: entry('stop', execution.generation) } },
      { returnDocument: 'after' },
    )
    .lean();
  if (!asked) throw await endedOtherwise(ctx, _id);
  if (asked.status === 'queued' && (await endExecution(ctx, asked, cancelled))) return;
  void ctx.executionOutbox.flush(asked);
  const deadline = Date.now() + stopWithinMs;
  while (Date.now() < deadline) {
    const now = await ctx.executions.findOne({ _id }, { status: 1, active: 1 }).lean();
    if (now && !now.active) {
      if (now.status === 'cancelled') return;
      throw await endedOtherwise(ctx, _id);
    }
    await setTimeout(pollMs);
  }
  const silent = await ctx.executions.findOne({ _id, active: true }).lean();
  if (silent) await endExecution(ctx, silent, cancelled);
}

/**
 * Cancel an execution if it still waits as it was read.
 * @returns whether it did; one that runs, moved or ended is left as it is
 */
export async function cancelWaiting(
  ctx: Context,
  execution: Execution,
  cancel_request: CancelRequest,
): Promise<boolean> {
  return execution.status === 'queued' && endExecution(ctx, execution, { ...cancelled, cancel_request });
}

async function endedOtherwise(ctx: Context, execution_id: string): Promise<PlatformError> {
  const ended = await ctx.executions.findOne({ _id: execution_id }, { status: 1 }).lean();
  const details = { execution_id, status: ended?.status };
  return new PlatformError('RESOURCE_CONFLICT', 'The execution has already ended', details);
}
