import type { RunResult } from '@claude-cli/shared/events';
import type { UpdateQuery } from 'mongoose';
import type { Context } from '../context.ts';
import { type CancelRequest, type Execution, entry, retryDelayMs } from './execution.ts';
import { releaseSlot } from './slots.ts';

/** How a run ended. */
export type Ending = Pick<RunResult, 'status' | 'exit_code' | 'error' | 'result'> &
  Partial<Pick<RunResult, 'output_bytes'>> & {
    /** The wish that ends it, when it was not stored before. */
    cancel_request?: CancelRequest;
  };

/**
 * End a run: for good, or for another attempt when it failed, attempts remain and nobody asked to cancel it. Guarded by
 * status and generation, so of several endings one counts.
 * @returns whether this ending counted
 */
export async function endExecution(ctx: Context, execution: Execution, ending: Ending): Promise<boolean> {
  const { _id, status, generation } = execution;
  const update = canRetry(execution, ending) ? retry(execution, ending) : close(execution, ending);
  const ended = await ctx.executions
    .findOneAndUpdate({ _id, status, generation }, update, { returnDocument: 'after' })
    .lean();
  if (!ended) return false;
  void ctx.executionOutbox.flush(ended);
  // One that waits holds no slot; a claim that takes one for it just now finds it ended and gives it back.
  if (status === 'running') {
    await releaseSlot(ctx, execution);
    await wakeDeferred(ctx, execution.project_id);
  }
  return true;
}

function canRetry({ attempt, max_attempts, cancel_request }: Execution, { status }: Ending): boolean {
  return (status === 'failed' || status === 'timed_out') && attempt < max_attempts && cancel_request === null;
}

function retry({ attempt, generation }: Execution, { exit_code, error, result }: Ending): UpdateQuery<Execution> {
  const due_at = new Date(Date.now() + retryDelayMs(attempt));
  return {
    $set: { status: 'queued', lease: null, started_at: null, due_at, announcements: 0, exit_code, error, result },
    $inc: { attempt: 1 },
    $push: { outbox: entry('retrying', generation) },
  };
}

function close({ cancel_request, generation }: Execution, ending: Ending): UpdateQuery<Execution> {
  // Whoever asked to cancel gets what was asked for, unless the run was completed before it could be stopped.
  const asked = ending.cancel_request ?? cancel_request;
  const status = asked && ending.status !== 'completed' ? 'cancelled' : ending.status;
  return {
    $set: { ...ending, status, lease: null, due_at: null, finished_at: new Date() },
    $unset: { active: 1 },
    $push: { outbox: entry('ended', generation) },
  };
}

/** A slot of the project is free again: announce the first of those that were refused one. */
async function wakeDeferred(ctx: Context, project_id: string): Promise<void> {
  const first = { project_id, status: 'queued' as const, deferred: true };
  const woken = await ctx.executions
    .findOneAndUpdate(
      first,
      { $set: { deferred: false } },
      { sort: { rank: 1, queued_at: 1 }, returnDocument: 'after' },
    )
    .lean();
  if (!woken) return;
  const { _id: execution_id, generation, priority } = woken;
  await ctx.bus
    .publishJob(priority, { execution_id, generation })
    .catch((err) => ctx.log.warn({ err, execution_id }, 'a deferred execution waits for its next announcement'));
}
