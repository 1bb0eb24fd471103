import { newEvent } from '@claude-cli/shared/events';
import type { Context } from '../context.ts';
import { factsOf, type Project } from './project.ts';

/** Age from which a hidden copy is nobody's work any more, in milliseconds: far more than making one may take. */
export const abandonedAfterMs = 10 * 60_000;
/** Copies that one sweep discards. */
const sweepLimit = 100;

/**
 * Give up a hidden copy: it stays deleted, and its event makes task-service delete the tasks that it has. Harmless when it
 * was shown or given up meanwhile.
 */
export async function discardClone(ctx: Context, copy: Project): Promise<void> {
  const { _id, created_by, version } = copy;
  const about = { actor: created_by, project_id: _id, version: version + 1 };
  const discarded = await ctx.projects
    .findOneAndUpdate(
      { _id, version, clone_started_at: { $exists: true } },
      {
        $set: { updated_at: new Date() },
        $unset: { clone_started_at: 1 },
        $inc: { version: 1 },
        $push: { outbox: newEvent('project.deleted', about, factsOf({ ...copy, members: [] })) },
      },
      { returnDocument: 'after' },
    )
    .lean();
  if (discarded) void ctx.projectOutbox.flush(discarded);
}

/** Give up the hidden copies that a crash or a lost answer left. */
export async function discardAbandonedClones(ctx: Context, now = new Date()): Promise<void> {
  const before = new Date(now.getTime() - abandonedAfterMs);
  const left = await ctx.projects
    .find({ clone_started_at: { $lt: before } })
    .limit(sweepLimit)
    .lean();
  await Promise.all(left.map((copy) => discardClone(ctx, copy)));
}
