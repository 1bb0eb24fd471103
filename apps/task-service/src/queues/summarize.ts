import { type Priority, priorities } from '@claude-cli/shared/amqp/topology';
import { inParallel } from '@claude-cli/shared/in-parallel';
import { type ExecutionModel, rankOf } from '../executions/execution.ts';
import { byPriority } from './queue-name.ts';
import { type Ended, type QueueTallies, TallyBuilder } from './tally.ts';

/** What happened in one stretch of time. */
export interface Slice {
  start: Date;
  /** Length in seconds. */
  seconds: number;
  queues: QueueTallies;
}

/** Slices whose queued executions are counted at once. */
const parallelCounts = 4;
/** Of more slices than these it is looked first when the first execution was queued: those before are not counted one by one. */
const fewSlices = 4;

/**
 * Summarize the executions that were queued or ended in a stretch of time, in slices of the given length. Those that were
 * queued are counted by an index; those that ended are read, once each, and memory does not grow with their number.
 * @param start aligned to the length of a slice
 * @returns one slice for each length that begins before the end, also where nothing happened
 */
export async function summarize(
  executions: ExecutionModel,
  { start, end, seconds }: { start: Date; end: Date; seconds: number },
): Promise<Slice[]> {
  const length = seconds * 1000;
  const count = Math.max(0, Math.ceil((end.getTime() - start.getTime()) / length));
  const starts = Array.from({ length: count }, (_, index) => start.getTime() + index * length);
  const builders = starts.map(() => byPriority(() => new TallyBuilder()));

  const firsts = count > fewSlices ? await firstQueued(executions, start) : byPriority(() => start.getTime());
  const countQueued = inParallel([...starts.entries()], parallelCounts, async ([index, from]) => {
    const within = { $gte: new Date(from), $lt: new Date(Math.min(from + length, end.getTime())) };
    for (const priority of priorities) {
      if (firsts[priority] >= from + length) continue;
      const queued = await executions.countDocuments({ rank: rankOf(priority), queued_at: within });
      builders[index]?.[priority].addQueued(queued);
    }
  });
  const ended = executions
    .find(
      { finished_at: { $gte: start, $lt: end } },
      { _id: 0, priority: 1, status: 1, queued_at: 1, started_at: 1, finished_at: 1 },
    )
    .lean<Ended[]>()
    .cursor({ batchSize: 5_000 });
  const readEnded = ended.eachAsync((execution: Ended) => {
    const index = Math.floor(((execution.finished_at?.getTime() ?? 0) - start.getTime()) / length);
    builders[index]?.[execution.priority].addEnded(execution);
  });
  await Promise.all([countQueued, readEnded]);
  return builders.map((builder, index) => ({
    start: new Date(starts[index] ?? 0),
    seconds,
    queues: byPriority((priority) => builder[priority].build()),
  }));
}

/** When the first execution of each queue was queued since a time; Infinity where none was. */
async function firstQueued(executions: ExecutionModel, since: Date): Promise<Record<Priority, number>> {
  const found = await Promise.all(
    priorities.map((priority) =>
      executions
        .findOne({ rank: rankOf(priority), queued_at: { $gte: since } }, { queued_at: 1 })
        .sort({ queued_at: 1 })
        .lean(),
    ),
  );
  return byPriority((priority) => found[rankOf(priority)]?.queued_at.getTime() ?? Number.POSITIVE_INFINITY);
}
