import { Batches } from '@claude-cli/shared/batches';
import type { close } from './end-execution.ts';
import { driverOf, type Execution, type ExecutionModel } from './execution.ts';

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
  return new Batches(async (ends) => {
    const writes = ends.map(({ known: { _id, status, generation }, update }) => ({
      updateOne: { filter: { _id, status, generation, cancel_request: null }, update },
    }));
    const options = { ordered: false, ignoreUndefined: true };
    const { matchedCount } = await driverOf(executions).bulkWrite(writes as never[], options);
    if (matchedCount === ends.length) return ends.map(() => true);
    // Which of them is not told: those whose own news are there. The same run may be among them twice.
    const ids = ends.map(({ known }) => known._id);
    const found = await driverOf(executions)
      .find({ _id: { $in: ids } }, { projection: { outbox: 1 } })
      .toArray();
    const stored = new Set(found.flatMap(({ outbox }) => outbox.map(({ id }) => id)));
    return ends.map(({ update }) => stored.has(update.$push.outbox.id));
  }, storing);
}
