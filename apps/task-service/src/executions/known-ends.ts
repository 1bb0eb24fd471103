import { Batches } from '@claude-cli/shared/batches';
import type { close } from './end-execution.ts';
import type { Execution, ExecutionModel } from './execution.ts';
import { makeTransitions } from './transitions.ts';

/** How ends of runs are stored together. */
const storing = { most: 100, width: 4 };

/** An execution that is known as it was granted, and how it ended for good. */
interface KnownEnd {
  known: Execution;
  update: ReturnType<typeof close>;
}

/** Stores ends of runs that are known, those that come at the same time together. Answers whether an end counted. */
export type KnownEnds = Batches<KnownEnd, boolean>;

/** The ends of a database. */
export function openKnownEnds(executions: ExecutionModel): KnownEnds {
  const transitionOf = ({ known: { _id, status, generation }, update }: KnownEnd) => ({
    guard: { _id, status, generation, cancel_request: null },
    update,
  });
  return new Batches((ends) => makeTransitions(executions, ends.map(transitionOf)), storing);
}
