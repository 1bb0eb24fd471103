import { Task_Status } from '@claude-cli/proto/platform/v1/tasks';
import { searchableOf } from './searchable.ts';
import type { TaskModel } from './task.ts';

/** Tasks that are read at once, and how often in one run: a service that stops waits for the run. */
const batchSize = 200;
const batches = 20;

/** Finds tasks that an earlier version stored. */
export const storedEarlier = { deleted_at: null, status: { $in: Object.values(Task_Status) }, title_key: null };

/**
 * Give tasks that an earlier version stored what they lack, so that phrases and fields are found in them and they are
 * sorted by title like others. Several replicas may do it at once; what one leaves is found by the next run.
 */
export async function upgradeTasks(tasks: TaskModel): Promise<void> {
  for (let batch = 0; batch < batches; batch++) {
    const old = await tasks
      .find(storedEarlier, { title: 1, description: 1, tags: 1, version: 1 })
      .limit(batchSize)
      .lean();
    if (old.length > 0) {
      await tasks.bulkWrite(
        old.map(({ _id, version, title, description = '', tags }) => ({
          // Whoever has changed it since has stored the rest, too.
          updateOne: { filter: { _id, version }, update: { $set: searchableOf({ title, description, tags }) } },
        })),
        { ordered: false },
      );
    }
    if (old.length < batchSize) return;
  }
}
