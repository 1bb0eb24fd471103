import { Batches } from '@claude-cli/shared/batches';
import type { Outbox } from '@claude-cli/shared/outbox';
import type { Execution, ExecutionEntry } from './execution.ts';

/**
 * When starts are told: some milliseconds after the claim, when the process runs, because what follows from it in all services would
 * take the processors from it where these are few. Where many start, they are told together, a fifth of a second apart, and of what
 * has ended until then start and end are one change of the task.
 */
const telling = { most: 1_000, gatherMs: 20, pace: { everyMs: 200, burst: 2 } };

/** Tells that executions were claimed, a moment later. */
export type Starts = Batches<Execution, undefined>;

/** @param outbox of the executions */
export function openStarts(outbox: Pick<Outbox<ExecutionEntry, Execution>, 'flush' | 'untold'>): Starts {
  return new Batches(async (taken) => {
    for (const execution of taken) if (outbox.untold(execution).length > 0) void outbox.flush(execution);
    return taken.map(() => undefined);
  }, telling);
}
