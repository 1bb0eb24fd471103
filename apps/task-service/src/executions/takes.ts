import { Batches } from '@claude-cli/shared/batches';
import { isDuplicateKey } from '@claude-cli/shared/mongo';
import type { ExecutionModel } from './execution.ts';
import { makeTransitions, type Transition } from './transitions.ts';

/** How executions are taken together. */
const together = { most: 100, width: 4 };

/** What came of it: it is the runner's; it is no longer as it has to be; or the question was granted something before. */
export type TakeOutcome = 'taken' | 'gone' | 'asked before';

/** Takes ready executions, those that are asked for at the same time by one write. */
export type Takes = Batches<Transition, TakeOutcome>;

/** The takes of a database. */
export function openTakes(executions: ExecutionModel): Takes {
  return new Batches<Transition, TakeOutcome>(async (takes) => {
    const made = await makeTransitions(executions, takes);
    return made.map((each) => {
      if (each instanceof Error) return isDuplicateKey(each) ? 'asked before' : each;
      return each ? 'taken' : 'gone';
    });
  }, together);
}
