import type { RunResult } from '@claude-cli/shared/events';
import { traceparent } from '@claude-cli/shared/telemetry/tracing';
import type { mongo, UpdateQuery } from 'mongoose';
import type { Context } from '../context.ts';
import { noteHold } from './agent-hold.ts';
import { agentUseIn, conversationsAfter } from './agent-options.ts';
import {
  type Attempt,
  type CancelRequest,
  driverOf,
  type Execution,
  entry,
  type Lease,
  retryDelayMs,
} from './execution.ts';
import { countEnd } from './metrics.ts';

/** How often runs of one execution are postponed without using up an attempt, and for how long at most, in milliseconds. */
const postponed = { most: 50, mostMs: 8 * 24 * 3_600_000 };

/** What has to be known of an execution to end it. */
export type Active = Pick<
  Execution,
  | '_id'
  | 'project_id'
  | 'status'
  | 'generation'
  | 'attempt'
  | 'max_attempts'
  | 'postponements'
  | 'started_at'
  | 'cancel_request'
> & {
  /** Needed of one that runs. */
  conversations?: string[];
  lease?: Lease | null;
};

/** A run as it is remembered: without what can be long in it, and is not needed to end it. */
export function runOf(execution: Execution): Execution {
  return { ...execution, prompt: '', command: execution.command && '' };
}

/** How a run ended. */
export type Ending = Pick<RunResult, 'status' | 'exit_code' | 'error' | 'result'> &
  Partial<Pick<RunResult, 'output_bytes' | 'cpu_seconds' | 'peak_memory_bytes' | 'retry_at'>> & {
    /** The wish that ends it, when it was not stored before. */
    cancel_request?: CancelRequest;
  };

/**
 * End a run that is known as it was granted.
 * @returns false when it is no longer so, or the run is not ended for good by that: then nothing has changed
 */
export async function endKnown(ctx: Context, known: Execution, ending: Ending): Promise<boolean> {
  if (!isForGood(known, ending)) return false;
  const update = close(known, ending);
  if (!(await ctx.knownEnds.add({ known, update }))) return false;
  const { attempts, outbox } = update.$push;
  const ended = {
    ...known,
    ...update.$set,
    attempts: [...known.attempts, attempts],
    outbox: [...known.outbox, outbox],
  };
  delete ended.active;
  await follow(ctx, known, ended, ending);
  return true;
}

/**
 * End a run: for good, or, when it failed and nobody asked to cancel it, for another attempt while attempts remain, or for the
 * same one when the run was postponed. Guarded by status and generation, so of several endings one counts.
 * @param also what else must still be so
 * @returns whether this ending counted
 */
export async function endExecution(
  ctx: Context,
  execution: Active,
  ending: Ending,
  also: Partial<Pick<Execution, 'waiting_for'>> = {},
): Promise<boolean> {
  const { _id, status, generation } = execution;
  const goesOn = !isForGood(execution, ending);
  const update = goesOn ? requeue(execution, ending) : close(execution, ending);
  const guard = { _id, status, generation, ...also, ...(goesOn ? { cancel_request: null } : {}) };
  const options = { returnDocument: 'after', ignoreUndefined: true } as const;
  const ended = await driverOf(ctx.executions).findOneAndUpdate(
    guard,
    update as mongo.UpdateFilter<Execution>,
    options,
  );
  if (!ended) {
    // Somebody may just have asked to cancel it: then it is not tried again.
    const filter = { _id, status, generation, ...also, cancel_request: { $ne: null } };
    const asked = goesOn ? await ctx.executions.findOne(filter).lean() : null;
    return asked ? endExecution(ctx, asked, ending, also) : false;
  }
  await follow(ctx, execution, ended, ending);
  return true;
}

/** What follows from an end. @param before as it was */
async function follow(ctx: Context, before: Active, ended: Execution, ending: Ending): Promise<void> {
  const goesOn = ended.status === 'queued';
  ctx.knownRuns.delete(ended._id);
  ctx.queues.newlyReady.delete(ended);
  countEnd(ended, goesOn);
  void ctx.executionOutbox.flush(ended);
  if (ended.waiting_for === 'agent_rate_limit') await noteLimit(ctx, before, ending);
  // One that waits holds no slot; a claim that takes one for it just now finds it ended and gives it back.
  if (before.status === 'running') await passOnSlot(ctx, before, goesOn);
}

async function passOnSlot({ slotReleases }: Context, { _id, project_id }: Active, goesOn: boolean): Promise<void> {
  const holder = { _id, project_id };
  return goesOn ? slotReleases.passOn(holder) : slotReleases.passOnSoon(holder);
}

/** Others would meet the same limit. */
async function noteLimit(ctx: Context, { _id, lease }: Active, { result, retry_at }: Ending): Promise<void> {
  if (result?.conversation_is_gone === true || typeof retry_at !== 'string') return;
  await noteHold(ctx, lease?.runner_id ?? '', new Date(retry_at)).catch((err) => {
    ctx.log.warn({ err, execution_id: _id }, 'others will meet the rate limit of the agent');
  });
}

/** What failed before it ran, such as for a dependency, would fail again. */
function isForGood(execution: Active, ending: Ending): boolean {
  const { status, attempt, max_attempts, cancel_request } = execution;
  const hasFailed = status === 'running' && (ending.status === 'failed' || ending.status === 'timed_out');
  if (!hasFailed || cancel_request !== null) return true;
  return attempt >= max_attempts && !isPostponed(execution, ending);
}

/** The run could not do its work and says when it can. */
function isPostponed({ postponements = 0 }: Active, { retry_at }: Ending): boolean {
  return typeof retry_at === 'string' && !Number.isNaN(Date.parse(retry_at)) && postponements < postponed.most;
}

function requeue(execution: Active, ending: Ending): UpdateQuery<Execution> {
  const { attempt, generation } = execution;
  const { cancel_request: _none, retry_at = null, ...facts } = ending;
  const now = new Date();
  const next = { status: 'queued', lease: null, started_at: null, ...conversationsAfter(execution, ending) } as const;
  const here = traceparent();
  const queued = { ...facts, ...next, ...(here && { tried_before: here }) } as const;
  const told = { outbox: entry('retrying', generation) };
  if (isPostponed(execution, ending)) {
    const due_at = new Date(Math.min(Date.parse(retry_at ?? ''), now.getTime() + postponed.mostMs));
    return {
      $set: { ...queued, waiting_for: 'agent_rate_limit', due_at },
      $inc: { postponements: 1, ...agentUseIn(ending) },
      $push: told,
    };
  }
  return {
    $set: { ...queued, waiting_for: 'backoff', due_at: new Date(now.getTime() + retryDelayMs(attempt)) },
    $inc: { attempt: 1, ...agentUseIn(ending) },
    $push: { ...told, attempts: attemptOf(execution, ending, ending.status, now) },
  };
}

/** The update that ends an execution for good; to be guarded by status and generation. */
export function close(execution: Active, ending: Ending) {
  const { cancel_request, generation } = execution;
  // Whoever asked to cancel gets what was asked for, unless the run was completed before it could be stopped.
  const asked = ending.cancel_request ?? cancel_request;
  const status = asked && ending.status !== 'completed' ? 'cancelled' : ending.status;
  const finished_at = new Date();
  const { retry_at: _none, ...facts } = ending;
  return {
    $set: { ...facts, status, waiting_for: null, lease: null, due_at: null, finished_at },
    ...(ending.result && { $inc: agentUseIn(ending) }),
    $unset: { active: 1, waits_on: 1 },
    $push: { outbox: entry('ended', generation), attempts: attemptOf(execution, ending, status, finished_at) },
  };
}

function attemptOf(
  { attempt, started_at }: Active,
  { exit_code, error }: Ending,
  status: Attempt['status'],
  finished_at: Date,
): Attempt {
  return { attempt, status, started_at, finished_at, exit_code, error };
}
