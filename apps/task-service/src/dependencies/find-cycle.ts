import { invalidField } from '@claude-cli/shared/errors';
import type { Context } from '../context.ts';
import type { Task } from '../tasks/task.ts';
import { dropClaim, isLeft } from './claim.ts';

/** Tasks that one search looks at: far more than people connect, few enough for one request. */
const maxTasks = 10_000;
/** Tasks that one query asks for. */
const batchSize = 500;

/** A way along blocking dependencies. */
export interface Cycle {
  /** Ids of the tasks on it; the first is the last again. */
  path: string[];
  /** One of its dependencies is only claimed: it may never be stored. */
  uncertain: boolean;
}

type Node = Pick<Task, '_id' | 'dependencies' | 'claimed_dependencies'>;

/** How the search came to a task. */
interface Step {
  from: string;
  uncertain: boolean;
}

/**
 * The cycle that a task would close by being blocked by others. Only `blocks` counts: what is merely related, or deleted,
 * holds nothing up. Dependencies that others have claimed count, too.
 * @param blockers the tasks that it would be blocked by
 * @throws PlatformError VALIDATION_ERROR when they lead to too many tasks to look at
 */
export async function findCycle(ctx: Context, task_id: string, blockers: string[]): Promise<Cycle | undefined> {
  const steps = new Map<string, Step>(blockers.map((id) => [id, { from: task_id, uncertain: false }]));
  let level = [...steps.keys()];
  while (level.length > 0 && !steps.has(task_id)) {
    if (steps.size > maxTasks) {
      throw invalidField('dependencies', `lead to more than ${maxTasks} tasks, too many to look for cycles`);
    }
    const next: string[] = [];
    for (const node of await nodesOf(ctx, level)) {
      for (const [id, uncertain] of await blockersOf(ctx, node)) {
        if (steps.has(id)) continue;
        steps.set(id, { from: node._id, uncertain });
        next.push(id);
      }
    }
    level = next;
  }
  return steps.has(task_id) ? cycleOf(task_id, steps) : undefined;
}

async function nodesOf(ctx: Context, ids: string[]): Promise<Node[]> {
  const nodes: Node[] = [];
  for (let start = 0; start < ids.length; start += batchSize) {
    const filter = { _id: { $in: ids.slice(start, start + batchSize) }, deleted_at: null };
    nodes.push(...(await ctx.tasks.find(filter, { dependencies: 1, claimed_dependencies: 1 }).lean()));
  }
  return nodes;
}

/** What blocks a task, and whether that is uncertain. A claim that was left is taken away rather than ignored: see claim-blockers.ts. */
async function blockersOf(ctx: Context, { _id, dependencies, claimed_dependencies: claim }: Node) {
  const blockers = new Map<string, boolean>();
  if (claim && !(isLeft(claim) && (await dropClaim(ctx, _id, claim.token)))) {
    for (const id of claim.task_ids) blockers.set(id, true);
  }
  for (const { depends_on_task_id, dependency_type } of dependencies) {
    if (dependency_type === 'blocks') blockers.set(depends_on_task_id, false);
  }
  return blockers;
}

function cycleOf(task_id: string, steps: ReadonlyMap<string, Step>): Cycle {
  const path = [task_id];
  let uncertain = false;
  let at = task_id;
  do {
    const step = steps.get(at);
    if (!step) break;
    uncertain ||= step.uncertain;
    at = step.from;
    path.unshift(at);
  } while (at !== task_id);
  return { path, uncertain };
}
