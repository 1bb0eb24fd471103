import type { ClaimExecutionRequest, ClaimExecutionResponse } from '@claude-cli/proto/platform/v1/executions';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import { defaultLimits } from '@claude-cli/shared/limits';
import type { Context } from '../context.ts';
import { endExecution } from './end-execution.ts';
import { type Execution, entry } from './execution.ts';
import { acquireSlot, releaseSlot } from './slots.ts';

/** How long an execution that found its project busy waits unless one of the project's runs ends sooner, in milliseconds. */
const deferMs = 5_000;

/** Give a queued execution to the runner that asks. */
export async function claimExecution(
  ctx: Context,
  request: ClaimExecutionRequest,
  call: Call,
): Promise<ClaimExecutionResponse> {
  const { execution_id, generation, runner_id } = request;
  const waiting = await ctx.executions.findOne({ _id: execution_id }).lean();
  if (!waiting) return { verdict: 'skip' };
  // The answer to an earlier, equal question was lost on its way.
  if (waiting.status === 'running' && waiting.lease?.runner_id === runner_id && waiting.generation === generation + 1) {
    return granted(ctx, waiting);
  }
  if (waiting.status !== 'queued' || waiting.generation !== generation) return { verdict: 'skip' };

  // The state is read after the execution, never before: see queue-state.ts for why a pause then holds.
  const [queue, limit] = await Promise.all([
    ctx.queues.states.findById(waiting.priority, { paused: 1, version: 1 }).lean(),
    concurrencyLimit(ctx, waiting, call),
  ]);
  if (limit === 0) return { verdict: 'skip' };
  if (queue?.paused) return waitForResume(ctx, waiting);
  if (!(await acquireSlot(ctx, waiting, limit))) return defer(ctx, waiting);
  const now = new Date();
  const claimed = await ctx.executions
    .findOneAndUpdate(
      { _id: execution_id, status: 'queued', generation, fence: { $not: { $gt: queue?.version ?? 0 } } },
      {
        $set: { status: 'running', started_at: now, lease: newLease(ctx, runner_id), due_at: null, deferred: false },
        $inc: { generation: 1 },
        $push: { outbox: entry('started', generation + 1) },
      },
      { returnDocument: 'after' },
    )
    .lean();
  if (!claimed) {
    // The slot is the execution's, not the asker's: if another runner was faster, it is in use.
    const other = await ctx.executions.findById(execution_id, { status: 1, generation: 1 }).lean();
    if (other?.status !== 'running') await releaseSlot(ctx, waiting);
    const fenced = other?.status === 'queued' && other.generation === generation;
    return fenced ? waitForResume(ctx, waiting) : { verdict: 'skip' };
  }
  void ctx.executionOutbox.flush(claimed);
  return granted(ctx, claimed);
}

/** A lease that starts now. */
export function newLease(ctx: Context, runner_id: string) {
  return { runner_id, expires_at: new Date(Date.now() + ctx.config.EXECUTION_LEASE_MS) };
}

/** The project's limit; 0, after ending the execution, when the project is gone or archived. */
async function concurrencyLimit(ctx: Context, waiting: Execution, call: Call): Promise<number> {
  try {
    const access = await ctx.access.checkWrite(waiting.project_id, call);
    return access.resource_limits?.max_concurrent_tasks ?? defaultLimits.max_concurrent_tasks;
  } catch (error) {
    const { code, message } = PlatformError.from(error);
    if (code !== 'PROJECT_NOT_FOUND' && code !== 'PROJECT_ARCHIVED') throw error;
    await endExecution(ctx, waiting, { status: 'cancelled', exit_code: null, error: message, result: null });
    return 0;
  }
}

/** Its queue is paused. Due since it was queued, so that it is announced as soon as the queue goes on, also if it just did. */
async function waitForResume(ctx: Context, waiting: Execution): Promise<ClaimExecutionResponse> {
  await ctx.executions.updateOne(
    { _id: waiting._id, status: 'queued', generation: waiting.generation },
    { $set: { deferred: false, due_at: waiting.queued_at } },
  );
  return { verdict: 'defer' };
}

async function defer(ctx: Context, waiting: Execution): Promise<ClaimExecutionResponse> {
  await ctx.executions.updateOne(
    { _id: waiting._id, status: 'queued', generation: waiting.generation },
    { $set: { deferred: true, due_at: new Date(Date.now() + deferMs) } },
  );
  return { verdict: 'defer' };
}

function granted(ctx: Context, execution: Execution): ClaimExecutionResponse {
  return {
    verdict: 'granted',
    job: {
      execution_id: execution._id,
      task_id: execution.task_id,
      project_id: execution.project_id,
      user_id: execution.requested_by,
      generation: execution.generation,
      command: execution.command ?? undefined,
      prompt: execution.prompt,
      timeout_ms: execution.timeout_ms,
      lease_ms: ctx.config.EXECUTION_LEASE_MS,
    },
  };
}
