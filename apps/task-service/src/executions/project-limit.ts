import { priorities, shares } from '@claude-cli/shared/amqp/topology';
import type { Context } from '../context.ts';
import { type Execution, rankOf } from './execution.ts';
import { makeReady } from './make-ready.ts';
import type { ProjectSlots } from './slots.ts';

// What finds all slots of its project taken waits for 'project_limit' and is out of the way of other projects. When a slot is
// given back, one that waits is ready again. That one may die before it has woken anybody, and the limit may be raised: so the
// document of the project's slots remembers that somebody was refused, before that is written, and the sweep looks after it.

/** Projects that one sweep looks after. */
const sweepLimit = 200;
/** Age of the latest refusal from which one is woken to try again, since the limit may have been raised, in milliseconds. */
const tryAgainMs = 10_000;

/** Let executions of a project that has no free slot wait for one. They are no longer in the order of their priority. */
export async function refuseSlots(ctx: Context, project_id: string, ids: string[], limit: number): Promise<void> {
  const refused = { $set: { refused_at: new Date(), limit } };
  const slots = await ctx.slots.findOneAndUpdate({ _id: project_id }, refused, { returnDocument: 'after' }).lean();
  // One to which a claim that died has left a slot keeps its turn: nobody else can have that slot.
  const without = ids.filter((id) => !slots?.holders.includes(id));
  await ctx.executions.updateMany(
    { _id: { $in: without }, status: 'queued', waiting_for: 'turn' },
    { $set: { waiting_for: 'project_limit' } },
  );
  // A slot that was given back just before found nobody to wake.
  const now = slots && (await ctx.slots.findOne({ _id: project_id }).lean());
  if (now && now.holders.length < limit) await wakeRefused(ctx, project_id, limit - now.holders.length);
}

/**
 * Let so many of a project's executions that wait for a slot have their turn.
 * @returns how many did
 */
export async function wakeRefused(ctx: Context, project_id: string, count = 1): Promise<number> {
  let woken = 0;
  for (let tries = 0; woken < count && tries < count * 2; tries++) {
    const first = await firstRefused(ctx, project_id);
    if (!first) break;
    if (await makeReady(ctx, first)) woken++;
  }
  return woken;
}

/** Look after the projects in which executions wait for a slot. */
export async function wakeWhereFree(ctx: Context): Promise<void> {
  const projects = await ctx.slots
    .find({ refused_at: { $gt: new Date(0) } })
    .sort({ refused_at: 1 })
    .limit(sweepLimit)
    .lean();
  for (const slots of projects) await wakeIn(ctx, slots);
}

async function wakeIn(ctx: Context, { _id, holders, refused_at, limit = 0 }: ProjectSlots): Promise<void> {
  const isLongAgo = Date.now() - (refused_at?.getTime() ?? 0) > tryAgainMs;
  // Those that are ready already may take what is free.
  const ready = { project_id: _id, status: 'queued' as const, waiting_for: 'turn' as const };
  const unclaimed = limit - holders.length - (await ctx.executions.countDocuments(ready, { limit: limit + 1 }));
  if (unclaimed <= 0 && !isLongAgo) return;
  const woken = await wakeRefused(ctx, _id, Math.max(unclaimed, 1));
  // Whoever is refused from now on says so anew; whoever was refused long ago has written it.
  const set = woken === 0 ? { refused_at: null } : { refused_at: new Date() };
  if (isLongAgo) await ctx.slots.updateOne({ _id, refused_at: refused_at ?? null }, { $set: set });
}

/** The first one, of a priority that is drawn by the shares, so that the lower ones of a busy project have their turn. */
async function firstRefused({ executions }: Context, project_id: string): Promise<Execution | undefined> {
  for (const priority of drawn()) {
    const refused = { project_id, status: 'queued', waiting_for: 'project_limit', rank: rankOf(priority) } as const;
    const first = await executions.findOne(refused).sort({ fair_at: 1 }).lean();
    if (first) return first;
  }
  return undefined;
}

function drawn() {
  const all = priorities.reduce((sum, priority) => sum + shares[priority], 0);
  let left = Math.random() * all;
  const chosen = priorities.find((priority) => {
    left -= shares[priority];
    return left < 0;
  });
  return [...new Set(chosen ? [chosen, ...priorities] : priorities)];
}
