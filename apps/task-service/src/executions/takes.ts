import { Batches } from '@claude-cli/shared/batches';
import { failedWrites, isDuplicateKey } from '@claude-cli/shared/mongo';
import type { mongo } from 'mongoose';
import { driverOf, type Execution, type ExecutionModel } from './execution.ts';

/** How executions are taken together. */
const together = { most: 100, width: 4 };

/** A ready execution that is to be a runner's. */
export interface Take {
  /** The question that it is granted to. */
  claim_id: string;
  /** As it has to be. */
  guard: mongo.Filter<Execution>;
  /** Notes the claim. */
  change: mongo.UpdateFilter<Execution>;
}

/** What came of it: it is the runner's; it is no longer as it has to be; or the question was granted something before. */
export type TakeOutcome = 'taken' | 'gone' | 'asked before';

/** Takes executions, those that are asked for at the same time by one write. */
export type Takes = Batches<Take, TakeOutcome>;

/** The takes of a database. */
export function openTakes(executions: ExecutionModel): Takes {
  return new Batches<Take, TakeOutcome>(async (takes) => {
    const writes = takes.map(({ guard, change }) => ({ updateOne: { filter: guard, update: change } }));
    let taken = 0;
    const failed = await driverOf(executions)
      .bulkWrite(writes as never[], { ordered: false })
      .then(({ matchedCount }) => {
        taken = matchedCount;
        return new Map<number, Error>();
      }, failedWrites);
    // Which of them found theirs is not told: those whose claims are there.
    const claims = taken === takes.length ? undefined : await claimsAmong(executions, takes);
    return takes.map(({ claim_id }, place) => {
      const error = failed.get(place);
      if (error) return isDuplicateKey(error) ? 'asked before' : error;
      return !claims || claims.has(claim_id) ? 'taken' : 'gone';
    });
  }, together);
}

async function claimsAmong(executions: ExecutionModel, takes: readonly Take[]): Promise<Set<string | undefined>> {
  const claim_ids = takes.map(({ claim_id }) => claim_id);
  const found = await driverOf(executions)
    .find({ 'lease.claim_id': { $in: claim_ids } }, { projection: { 'lease.claim_id': 1 } })
    .toArray();
  return new Set(found.map(({ lease }) => lease?.claim_id));
}
