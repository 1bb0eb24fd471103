import { failedWrites } from '@claude-cli/shared/mongo';
import type { mongo } from 'mongoose';
import { driverOf, type Execution, type ExecutionEntry, type ExecutionModel } from './execution.ts';

/** A change of an execution that is as it has to be, with the news that it causes. */
export interface Transition {
  guard: mongo.Filter<Execution>;
  update: { $push: { outbox: ExecutionEntry } } & Record<string, unknown>;
}

/**
 * Make transitions by one write, each as if alone.
 * @returns for each whether it was made by this, or the error that kept it alone from it. Rejects when it is not known of any.
 */
export async function makeTransitions(
  model: ExecutionModel,
  transitions: readonly Transition[],
): Promise<(boolean | Error)[]> {
  const executions = driverOf(model);
  const writes = transitions.map(({ guard, update }) => ({ updateOne: { filter: guard, update } }));
  let matched = 0;
  const failed = await executions
    .bulkWrite(writes as never[], { ordered: false, ignoreUndefined: true })
    .then(({ matchedCount }) => {
      matched = matchedCount;
      return new Map<number, Error>();
    }, failedWrites);
  if (matched === transitions.length) return transitions.map(() => true);
  // Which of them is not told: those whose own news are there. The same execution, or the same claim, may be among them twice.
  const ids = transitions.map(({ guard }) => guard._id as string);
  const found = await executions.find({ _id: { $in: ids } }, { projection: { outbox: 1 } }).toArray();
  const stored = new Set(found.flatMap(({ outbox }) => outbox.map(({ id }) => id)));
  return transitions.map(({ update }, place) => failed.get(place) ?? stored.has(update.$push.outbox.id));
}
