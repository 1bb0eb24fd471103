import type { ClaimExecutionRequest, ClaimExecutionResponse } from '@claude-cli/proto/platform/v1/executions';
import { type Priority, priorities } from '@claude-cli/shared/amqp/topology';
import { invalidField, PlatformError } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import { defaultLimits } from '@claude-cli/shared/limits';
import { isDuplicateKey } from '@claude-cli/shared/mongo';
import type { Context } from '../context.ts';
import { holdAgents } from './agent-hold.ts';
import { agentOptions } from './agent-options.ts';
import { endExecution } from './end-execution.ts';
import { type Execution, entry, rankOf } from './execution.ts';
import { advanceTo } from './fair-order.ts';
import { passOnSlot, refuseSlots } from './project-limit.ts';
import { acquireSlot } from './slots.ts';
import { announce } from './tokens.ts';

/** Executions that are looked at together: first, and then while those could not be had; and how often at most. */
const looks = { first: 8, further: 64, most: 4 };
/** Longest id that is believed. */
const idLength = 200;
/** Of those in turn everything but what can be long and is not needed to decide. */
const inTurn = { prompt: 0, outbox: 0, result: 0, attempts: 0 } as const;

/** One of the first in turn. */
type Head = Omit<Execution, keyof typeof inTurn>;

/** A runner's question. */
interface Question {
  priority: Priority;
  claim_id: string;
  runner_id: string;
  no_agents: boolean;
  no_agents_until: Date | undefined;
}

/**
 * What came of looking at an execution: it is the runner's; it cannot be had, and so perhaps others; nothing of the queue
 * can be had; or the question was answered before.
 */
type Outcome = Execution | 'next' | 'paused' | 'asked before';

/** Give the execution of a queue whose turn it is to the runner that asks. */
export async function claimExecution(
  ctx: Context,
  request: ClaimExecutionRequest,
  call: Call,
): Promise<ClaimExecutionResponse> {
  const question = read(request);
  const execution = (await takeTurn(ctx, question, call)) ?? (await grantedBefore(ctx, question));
  return execution ? granted(ctx, execution, call) : { verdict: 'none' };
}

function read(request: ClaimExecutionRequest): Question {
  const { claim_id, runner_id, no_agents, no_agents_until } = request;
  const priority = priorities.find((each) => each === request.priority);
  if (!priority) throw invalidField('priority', 'is not a priority');
  for (const [field, id] of Object.entries({ claim_id, runner_id })) {
    if (id === '' || id.length > idLength) throw invalidField(field, 'is not an id');
  }
  const until = no_agents_until === undefined ? undefined : new Date(no_agents_until);
  return { priority, claim_id, runner_id, no_agents, no_agents_until: until };
}

/** The first one that can be had. What cannot be had now is marked with the reason, so that no claim looks at it again. */
async function takeTurn(ctx: Context, question: Question, call: Call): Promise<Execution | undefined> {
  const { priority } = question;
  const seen: string[] = [];
  for (let look = 0; look < looks.most; look++) {
    const limit = look === 0 ? looks.first : looks.further;
    const heads = await ctx.executions
      .find({ status: 'queued', rank: rankOf(priority), waiting_for: 'turn', _id: { $nin: seen } }, inTurn)
      .sort({ fair_at: 1, _id: 1 })
      .limit(limit)
      .lean();
    const outcome = await firstOf(ctx, heads, question, call);
    if (typeof outcome === 'object') return outcome;
    if (outcome !== 'next' || heads.length < limit) return undefined;
    seen.push(...heads.map(({ _id }) => _id));
  }
  // There may be more: whoever comes next goes on.
  await announce(ctx, priority);
  return undefined;
}

async function firstOf(ctx: Context, heads: Head[], question: Question, call: Call): Promise<Outcome> {
  const passed = new Set<string>();
  for (const head of heads) {
    // Another claim of this process decides on it: of those that ask at once, each takes one of the first.
    if (passed.has(head._id) || ctx.claiming.has(head._id)) continue;
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
  if (question.no_agents && head.command === null) {
    await holdAgents(
      ctx,
      passOver(({ command }) => command === null),
      question.no_agents_until,
    );
    return 'next';
  }
  // The state is read after the execution, never before: see queue-state.ts for why a pause then holds.
  const [queue, limit, task] = await Promise.all([
    ctx.queues.states.findById(priority, { paused: 1, version: 1 }).lean(),
    concurrencyLimit(ctx, head, call),
    ctx.tasks.exists({ _id: task_id, deleted_at: null }),
  ]);
  if (queue?.paused) return 'paused';
  if (limit === 0) return 'next';
  if (!task) {
    await cancel(ctx, head, 'The task was deleted');
    return 'next';
  }
  if (!(await acquireSlot(ctx, head, limit))) {
    const ids = passOver((other) => other.project_id === project_id);
    await refuseSlots(ctx, project_id, ids, limit);
    return 'next';
  }
  const taken = await take(ctx, head, question, queue?.version ?? 0).catch((error) => {
    if (!isDuplicateKey(error)) throw error;
    return 'asked before' as const;
  });
  if (taken && taken !== 'asked before') return taken;
  // The slot is the execution's, not the asker's: if another runner was faster, it is in use.
  const now = await ctx.executions.findById(_id, { status: 1, generation: 1, waiting_for: 1 }).lean();
  if (now?.status !== 'running') await passOnSlot(ctx, head);
  if (taken) return taken;
  const isFenced = now?.status === 'queued' && now.generation === head.generation && now.waiting_for === 'turn';
  return isFenced ? 'paused' : 'next';
}

/** Of everybody who takes it, one does; and of one question, one is taken. */
async function take(ctx: Context, head: Head, question: Question, version: number): Promise<Execution | null> {
  const { _id, generation } = head;
  const { runner_id, claim_id } = question;
  const lease = { runner_id, claim_id, expires_at: leaseEnd(ctx) };
  const claimed = await ctx.executions
    .findOneAndUpdate(
      {
        _id,
        status: 'queued',
        waiting_for: 'turn',
        generation,
        cancel_request: null,
        fence: { $not: { $gt: version } },
      },
      {
        $set: { status: 'running', waiting_for: null, started_at: new Date(), lease, due_at: null },
        $inc: { generation: 1 },
        $push: { outbox: entry('started', generation + 1) },
      },
      { returnDocument: 'after' },
    )
    .lean();
  if (!claimed) return null;
  void advanceTo(ctx, claimed);
  void ctx.executionOutbox.flush(claimed);
  return claimed;
}

/** When a lease ends that starts now. */
export function leaseEnd({ config }: Context): Date {
  return new Date(Date.now() + config.EXECUTION_LEASE_MS);
}

/** The answer to an earlier, equal question may have been lost on its way. */
async function grantedBefore({ executions }: Context, { claim_id, runner_id }: Question): Promise<Execution | null> {
  return executions.findOne({ 'lease.claim_id': claim_id, 'lease.runner_id': runner_id, status: 'running' }).lean();
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

async function granted(ctx: Context, execution: Execution, call: Call): Promise<ClaimExecutionResponse> {
  const { command, project_id } = execution;
  // Asked for a moment ago, so it is remembered. If it is not, the same question is asked again.
  const settings = command === null ? (await ctx.access.check(project_id, call)).agent : undefined;
  return {
    verdict: 'granted',
    job: {
      execution_id: execution._id,
      task_id: execution.task_id,
      project_id: execution.project_id,
      user_id: execution.requested_by,
      generation: execution.generation,
      command: command ?? undefined,
      agent: command === null ? agentOptions(execution, settings) : undefined,
      prompt: execution.prompt,
      timeout_ms: execution.timeout_ms,
      lease_ms: ctx.config.EXECUTION_LEASE_MS,
    },
  };
}
