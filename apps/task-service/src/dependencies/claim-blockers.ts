import { setTimeout } from 'node:timers/promises';
import { invalidField, PlatformError } from '@claude-cli/shared/errors';
import { newId } from '@claude-cli/shared/ids';
import type { Context } from '../context.ts';
import { dropClaim, placeClaim } from './claim.ts';
import { type Cycle, findCycle } from './find-cycle.ts';

// Two changes that are each harmless can close a cycle together: A is made to wait for B while B is made to wait for A.
// So a task first claims, in its own document, what it is going to be blocked by; then it looks for a cycle, in which the
// claims of others count like dependencies; and only then the claim becomes the dependencies, in one guarded update.
// Whoever claims last sees the claims of all others, so of those who would close a cycle together at least one is refused.
//
// A claim that a crash left is taken away by whoever meets it, and never merely ignored: if its process was only slow, its
// update is refused. So a clock that is wrong delays, but does no harm.

/** How often a claim is made anew when others are in the way, and the longest pause between, in milliseconds. */
const attempts = { most: 8, pauseMs: 100 };
/** Tasks that the error for a cycle names. */
const shownTasks = 10;

/** A claim that holds until it becomes the dependencies or is disposed of. */
export interface HeldClaim extends AsyncDisposable {
  token: string;
  task_ids: ReadonlySet<string>;
}

/**
 * Claim what a task is going to be blocked by.
 * @throws PlatformError VALIDATION_ERROR naming the cycle that it would close, RESOURCE_CONFLICT when others stay in the way
 */
export async function claimBlockers(ctx: Context, task_id: string, blockers: string[]): Promise<HeldClaim> {
  for (let attempt = 0; attempt < attempts.most; attempt++) {
    if (attempt > 0) await setTimeout(Math.random() * attempts.pauseMs);
    const claim = { token: newId(), task_ids: blockers, at: new Date() };
    if (!(await placeClaim(ctx, task_id, claim))) continue;
    await using release = new AsyncDisposableStack();
    release.defer(() => releaseClaim(ctx, task_id, claim.token));
    const cycle = await findCycle(ctx, task_id, blockers);
    if (!cycle) {
      const held = release.move();
      return {
        token: claim.token,
        task_ids: new Set(blockers),
        [Symbol.asyncDispose]: () => held[Symbol.asyncDispose](),
      };
    }
    if (!cycle.uncertain) throw closesCycle(cycle);
  }
  throw dependenciesInFlux(task_id);
}

/** The error for dependencies that others change at the same time. */
export function dependenciesInFlux(task_id: string): PlatformError {
  return new PlatformError('RESOURCE_CONFLICT', 'The dependencies are being changed by others, try again', { task_id });
}

async function releaseClaim(ctx: Context, task_id: string, token: string): Promise<void> {
  await dropClaim(ctx, task_id, token).catch((err) =>
    ctx.log.warn({ err, task_id }, 'a claim of dependencies is left'),
  );
}

function closesCycle({ path }: Cycle): PlatformError {
  const shown = path.length > shownTasks ? [...path.slice(0, shownTasks - 1), '…', ...path.slice(-1)] : path;
  return invalidField('dependencies', `would close a cycle: ${shown.join(' → ')}`);
}
