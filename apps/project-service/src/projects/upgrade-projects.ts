import type { ProjectModel } from './project.ts';
import { searchableOf } from './searchable.ts';

/** Projects that are read at once. */
const batchSize = 100;

/**
 * Give projects that an earlier version stored what they lack, so that they are found and sorted like others. Runs before
 * the service answers; several replicas may run it at once, and one that dies leaves the rest to the next start.
 */
export async function upgradeProjects(projects: ProjectModel): Promise<void> {
  for (;;) {
    const old = await projects
      .find({ deleted_at: null, name_key: null }, { name: 1, description: 1, version: 1 })
      .limit(batchSize)
      .lean();
    for (const { _id, version, ...texts } of old) {
      await projects.updateOne({ _id, version }, { $set: searchableOf(texts) });
    }
    if (old.length < batchSize) return;
  }
}
