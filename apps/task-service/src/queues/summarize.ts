import type { ExecutionModel } from '../executions/execution.ts';
import { byPriority } from './queue-name.ts';
import { type Ended, type QueueTallies, TallyBuilder } from './tally.ts';

/** What happened in one stretch of time. */
export interface Slice {
  start: Date;
  /** Length in seconds. */
  seconds: number;
  queues: QueueTallies;
}

/**
 * Summarize the executions that were queued or ended in a stretch of time, in slices of the given length. Reads each of
 * them once, through indexes on queued_at and finished_at; memory does not grow with their number.
 * @param start aligned to the length of a slice
 * @returns one slice for each length that begins before the end, also where nothing happened
 */
export async function summarize(
  executions: ExecutionModel,
  { start, end, seconds }: { start: Date; end: Date; seconds: number },
): Promise<Slice[]> {
  const length = seconds * 1000;
  const count = Math.max(0, Math.ceil((end.getTime() - start.getTime()) / length));
  const builders = Array.from({ length: count }, () => byPriority(() => new TallyBuilder()));
  const sliceOf = (time: Date | null) => builders[Math.floor(((time?.getTime() ?? 0) - start.getTime()) / length)];
  const within = { $gte: start, $lt: end };

  const ended = executions
    .find({ finished_at: within }, { _id: 0, priority: 1, status: 1, queued_at: 1, started_at: 1, finished_at: 1 })
    .lean<Ended[]>()
    .cursor({ batchSize: 5_000 });
  const queued = executions
    .find({ queued_at: within }, { _id: 0, priority: 1, queued_at: 1 })
    .lean<Pick<Ended, 'priority' | 'queued_at'>[]>()
    .cursor({ batchSize: 5_000 });
  await Promise.all([
    ended.eachAsync((execution: Ended) => sliceOf(execution.finished_at)?.[execution.priority].addEnded(execution)),
    queued.eachAsync(({ priority, queued_at }: Pick<Ended, 'priority' | 'queued_at'>) =>
      sliceOf(queued_at)?.[priority].addQueued(1),
    ),
  ]);
  return builders.map((builder, index) => ({
    start: new Date(start.getTime() + index * length),
    seconds,
    queues: byPriority((priority) => builder[priority].build()),
  }));
}
