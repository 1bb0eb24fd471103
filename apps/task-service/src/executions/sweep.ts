import { inParallel } from '@claude-cli/shared/in-parallel';
import type { Context } from '../context.ts';
import { endExecution } from './end-execution.ts';
import type { Execution, Waiting } from './execution.ts';
import { makeReady } from './make-ready.ts';
import { leaseExpiries } from './metrics.ts';
import { wakeWhereFree } from './project-limit.ts';
import { announceLacking } from './tokens.ts';
import { nextLook, reconsider } from './wait-for-dependencies.ts';

/** Executions that one sweep takes of a kind, and how many at once. */
const sweepLimit = 200;
const width = 10;

/** Let what waited long enough have its turn, and make sure that everything that is ready is announced. */
export async function wakeDue(ctx: Context): Promise<void> {
  await nameWaiting(ctx);
  await eachDue(ctx, 'backoff', (execution) => makeReady(ctx, execution));
  await eachDue(ctx, 'agent_rate_limit', (execution) => makeReady(ctx, execution));
  await eachDue(ctx, 'dependency', (execution) => lookAgain(ctx, execution));
  await wakeWhereFree(ctx);
  await announceLacking(ctx);
}

async function eachDue(ctx: Context, waiting_for: Waiting, run: (execution: Execution) => Promise<unknown>) {
  const due = await ctx.executions
    .find({ status: 'queued', waiting_for, due_at: { $lte: new Date() } })
    .sort({ due_at: 1 })
    .limit(sweepLimit)
    .lean();
  await inParallel(due, width, run);
}

/** Of several replicas that see it due, the one that moves due_at looks. */
async function lookAgain(ctx: Context, execution: Execution): Promise<void> {
  const { _id, generation, due_at } = execution;
  const due = { _id, status: 'queued' as const, waiting_for: 'dependency' as const, generation, due_at };
  const { modifiedCount } = await ctx.executions.updateOne(due, { $set: { due_at: nextLook() } });
  if (modifiedCount > 0) await reconsider(ctx, execution);
}

/** Queued executions that an earlier version stored do not say what they wait for. They come before all others. */
async function nameWaiting({ executions }: Context): Promise<void> {
  const unnamed = { status: 'queued', waiting_for: null };
  // Fields that only that version had are not of the schema.
  const stored = executions.collection;
  await stored.updateMany({ ...unnamed, attempt: { $gt: 1 }, announcements: 0 }, { $set: { waiting_for: 'backoff' } });
  await stored.updateMany(unnamed, { $set: { waiting_for: 'turn', fair_at: 0 } });
}

/** Fail runs whose runner gave no sign of life for a lease. */
export async function endExpired(ctx: Context): Promise<void> {
  const expired = await ctx.executions
    .find({ status: 'running', 'lease.expires_at': { $lt: new Date() } })
    .limit(sweepLimit)
    .lean();
  for (const execution of expired) {
    const { _id: execution_id, lease } = execution;
    ctx.log.warn({ execution_id, runner_id: lease?.runner_id }, 'the runner of an execution is lost');
    const lost = { status: 'failed', exit_code: null, error: 'runner lost', result: null } as const;
    if (await endExecution(ctx, execution, lost)) leaseExpiries.inc();
  }
}
