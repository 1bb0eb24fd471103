import type { Priority } from '@claude-cli/shared/amqp/topology';
import { PlatformError } from '@claude-cli/shared/errors';
import { isLate } from '@claude-cli/shared/grpc/interceptor';
import type { Call } from '@claude-cli/shared/grpc/server';
import { defaultLimits } from '@claude-cli/shared/limits';
import { isDuplicateKey } from '@claude-cli/shared/mongo';
import { noteSpan, traceparent } from '@claude-cli/shared/telemetry/tracing';
import type { Context } from '../context.ts';
import type { BriefTask } from '../tasks/task.ts';
import { heldFrom, holdAgents, noteHold } from './agent-hold.ts';
import type { Head } from './claim-reads.ts';
import { endExecution, runOf } from './end-execution.ts';
import { driverOf, type Execution, entry } from './execution.ts';
import { countClaim } from './metrics.ts';
import { refuseSlots } from './project-limit.ts';
import { acquireSlot } from './slots.ts';
import { sendTokens } from './tokens.ts';

/** Executions that are looked at together when the first could not be had, and how often at most. */
const looks = { further: 64, most: 4 };

/** A runner's question. */
export interface Question {
  priority: Priority;
  claim_id: string;
  runner_id: string;
  /** Work of the agent: may be given; is passed over; or is held from everybody, until the time that is known. */
  agents: 'given' | 'passed over' | { heldUntil: Date | undefined };
}

/**
 * What came of looking at an execution: it is the runner's; it cannot be had, and so perhaps others; nothing of the queue
 * can be had; or the question was answered before.
 */
type Outcome = Execution | 'next' | 'paused' | 'asked before';

/**
 * Let the first one that can be had be the runner's. What cannot be had now is marked with the reason, so that no claim looks at it
 * again.
 */
export async function takeTurn(
  ctx: Context,
  question: Question,
  call: Call,
): Promise<Execution | 'asked before' | 'none'> {
  const { priority } = question;
  const known = await firstOf(ctx, await ctx.queues.newlyReady.all(priority), question, call);
  if (known !== 'next') return known === 'paused' ? 'none' : known;
  const seen: string[] = [];
  for (let look = 0; look < looks.most; look++) {
    const { heads, isAll } = await lookAt(ctx, priority, seen);
    const outcome = await firstOf(ctx, heads, question, call);
    if (typeof outcome === 'object' || outcome === 'asked before') return outcome;
    if (outcome === 'paused' || isAll) return 'none';
    seen.push(...heads.map(({ _id }) => _id));
  }
  // There may be more: whoever comes next goes on.
  await sendTokens(ctx, priority);
  return 'none';
}

/** Whether this process has let it be taken since it was read. */
export function isTaken({ knownRuns }: Context, { _id, generation }: Pick<Head, '_id' | 'generation'>): boolean {
  return (knownRuns.get(_id)?.generation ?? 0) > generation;
}

async function lookAt({ claims }: Context, priority: Priority, seen: readonly string[]) {
  if (seen.length === 0) return claims.first(priority);
  const heads = await claims.behind(priority, seen, looks.further);
  return { heads, isAll: heads.length < looks.further };
}

async function firstOf(ctx: Context, heads: Head[], question: Question, call: Call): Promise<Outcome> {
  const passed = new Set<string>();
  for (const head of heads) {
    if (question.agents === 'passed over' && head.command === null) continue;
    // Another claim of this process decides on it: of those that ask at once, each takes one of the first.
    if (passed.has(head._id) || ctx.claiming.has(head._id) || isTaken(ctx, head)) continue;
    ctx.claiming.add(head._id);
    try {
      const outcome = await tryToTake(ctx, head, question, call, (also) => {
        const left = heads.filter((other) => also(other) && !ctx.claiming.has(other._id)).map(({ _id }) => _id);
        for (const id of left) passed.add(id);
        return [head._id, ...left];
      });
      if (outcome !== 'next') return outcome;
    } finally {
      ctx.claiming.delete(head._id);
      ctx.queues.newlyReady.delete(head);
    }
  }
  return 'next';
}

/** @param passOver names the execution with those that share what stands in its way, which are passed over with it */
async function tryToTake(
  ctx: Context,
  head: Head,
  question: Question,
  call: Call,
  passOver: (also: (other: Head) => boolean) => string[],
): Promise<Outcome> {
  const { _id, project_id, task_id, priority } = head;
  if (head.cancel_request) {
    // Whoever asked for it died before it was ended.
    await cancel(ctx, head, null);
    return 'next';
  }
  const held = head.command === null ? await holdOn(ctx, question) : undefined;
  if (held) {
    const ids = passOver(({ command }) => command === null);
    await holdAgents(ctx, ids, held);
    return 'next';
  }
  const limit = await concurrencyLimit(ctx, head, call);
  if (limit === 0) return 'next';
  const [queue, hasSlot, task] = await Promise.all([
    // The state is asked for after the execution, never before: see queue-state.ts for why a pause then holds.
    ctx.claims.gate(priority),
    acquireSlot(ctx, head, limit),
    // One that was deleted meanwhile does no harm: whoever deletes a task ends its execution, and so does who tells of the start.
    ctx.knownTasks.get(_id) ?? ctx.claims.task(task_id),
  ]);
  if (!task) {
    await cancel(ctx, head, 'The task was deleted');
    if (hasSlot) await ctx.slotReleases.passOn(head);
    return 'next';
  }
  if (!hasSlot && queue?.paused) return 'paused';
  if (!hasSlot) {
    const ids = passOver((other) => other.project_id === project_id);
    await refuseSlots(ctx, project_id, ids, limit);
    return 'next';
  }
  // Whoever waits no longer would not hear that it is his.
  const mayTake = !queue?.paused && !isLate(call);
  const taken = mayTake ? await take(ctx, head, question, queue?.version ?? 0) : null;
  if (taken && taken !== 'asked before') {
    noteTaken(ctx, taken, task);
    return taken;
  }
  // The slot is the execution's, not the asker's: if another runner was faster, it is in use.
  const decisive = { status: 1, generation: 1, waiting_for: 1, cancel_request: 1 } as const;
  const now = await ctx.executions.findById(_id, decisive).lean();
  if (now?.status !== 'running') await ctx.slotReleases.passOn(head);
  if (taken) return taken;
  const isInTurn = now?.status === 'queued' && now.generation === head.generation && now.waiting_for === 'turn';
  return isInTurn && now.cancel_request === null ? 'paused' : 'next';
}

function holdOn(ctx: Context, { agents, runner_id }: Question): Promise<Date | undefined> {
  return typeof agents === 'object' ? noteHold(ctx, runner_id, agents.heldUntil) : heldFrom(ctx, runner_id);
}

/** Of everybody who takes it, one does; and of one question, one is taken, whether by this asking or by another one. */
async function take(
  ctx: Context,
  head: Head,
  question: Question,
  version: number,
): Promise<Execution | null | 'asked before'> {
  const { _id, generation } = head;
  const inTurn = { _id, status: 'queued', waiting_for: 'turn', generation, cancel_request: null } as const;
  const notFenced = { ...inTurn, fence: { $not: { $gt: version } } };
  const change = changeOf(ctx, head, question);
  if (isKnown(head)) {
    const outcome = await ctx.takes.add({ guard: notFenced, update: change });
    if (outcome === 'taken') return changedBy(head, change);
    return outcome === 'gone' ? null : outcome;
  }
  try {
    return await driverOf(ctx.executions).findOneAndUpdate(notFenced, change, { returnDocument: 'after' });
  } catch (error) {
    if (isDuplicateKey(error)) return 'asked before';
    throw error;
  }
}

function changeOf(ctx: Context, { generation }: Head, { runner_id, claim_id }: Question) {
  const lease = { runner_id, claim_id, expires_at: leaseEnd(ctx) };
  return {
    $set: { status: 'running', waiting_for: null, started_at: new Date(), lease, due_at: null },
    $inc: { generation: 1 },
    $push: { outbox: entry('started', generation + 1) },
  } as const;
}

/** Whether what was not read of it is not needed, or is nothing yet: the prompt is for the agent, the rest comes with attempts. */
function isKnown({ command, generation }: Head): boolean {
  return command !== null && generation === 0;
}

function changedBy(head: Head, { $set, $push }: ReturnType<typeof changeOf>): Execution {
  const notRead = { prompt: '', result: null, attempts: [] };
  return { ...notRead, ...head, ...$set, generation: head.generation + 1, outbox: [$push.outbox] };
}

/** Let the taking be known, with what is known of it. */
function noteTaken(ctx: Context, taken: Execution, task: BriefTask): void {
  const { _id, priority, fair_at, queued_at, tried_before } = taken;
  countClaim(taken);
  noteSpan('wait in queue', queued_at, { parent: taken.traceparent, links: [traceparent(), tried_before], root: true });
  if (fair_at !== null) ctx.fair.advance(priority, fair_at);
  ctx.queues.sizes.left(priority, true);
  ctx.knownTasks.set(_id, task);
  ctx.knownRuns.set(_id, runOf(taken));
  ctx.starts.add(taken);
}

/** When a lease ends that starts now. */
export function leaseEnd({ config }: Context): Date {
  return new Date(Date.now() + config.EXECUTION_LEASE_MS);
}

/** The answer to an earlier, equal question may have been lost on its way. The lease begins anew, as the runner counts it. */
export async function grantedBefore(
  ctx: Context,
  { claim_id, runner_id }: Pick<Question, 'claim_id' | 'runner_id'>,
): Promise<Execution | null> {
  const granted = { 'lease.claim_id': claim_id, 'lease.runner_id': runner_id, status: 'running' as const };
  const lease = { $set: { 'lease.expires_at': leaseEnd(ctx) } };
  return driverOf(ctx.executions).findOneAndUpdate(granted, lease, { returnDocument: 'after' });
}

/** The project's limit; 0, after ending the execution, when the project is gone or archived. */
async function concurrencyLimit(ctx: Context, waiting: Head, call: Call): Promise<number> {
  try {
    const access = await ctx.access.checkWrite(waiting.project_id, call);
    return access.resource_limits?.max_concurrent_tasks ?? defaultLimits.max_concurrent_tasks;
  } catch (error) {
    const { code, message } = PlatformError.from(error);
    if (code !== 'PROJECT_NOT_FOUND' && code !== 'PROJECT_ARCHIVED') throw error;
    await cancel(ctx, waiting, message);
    return 0;
  }
}

async function cancel(ctx: Context, waiting: Head, error: string | null): Promise<void> {
  await endExecution(ctx, waiting, { status: 'cancelled', exit_code: null, error, result: null });
}
