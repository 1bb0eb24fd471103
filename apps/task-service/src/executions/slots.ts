import { isDuplicateKey } from '@claude-cli/shared/mongo';
import { type Connection, type Model, Schema } from 'mongoose';
import type { Context } from '../context.ts';
import type { Execution } from './execution.ts';

/** Which executions of a project run now. Holding ids instead of a count lets a slot that a crash left be found. */
export interface ProjectSlots {
  _id: string;
  holders: string[];
  /** When an execution was refused a slot last; null once none waits for one. */
  refused_at?: Date | null;
  /** How many slots there were then. */
  limit?: number;
}

/** Slots of all projects. */
export type SlotModel = Model<ProjectSlots>;

const schema = new Schema<ProjectSlots>(
  {
    _id: { type: String, required: true },
    holders: { type: [String], default: [] },
    refused_at: { type: Date },
    limit: { type: Number },
  },
  { collection: 'project_slots', versionKey: false },
);
schema.index({ holders: 1 });
schema.index({ refused_at: 1 }, { sparse: true });

/** The slots of a database. */
export function slotModel(connection: Connection): SlotModel {
  return connection.model<ProjectSlots>('ProjectSlots', schema);
}

type Holder = Pick<Execution, '_id' | 'project_id'>;

/** Take one of the project's slots. Taking it twice takes it once. @returns false when as many as the limit are taken */
export async function acquireSlot({ slots }: Context, { _id, project_id }: Holder, limit: number): Promise<boolean> {
  const free = { _id: project_id, holders: { $ne: _id }, [`holders.${limit - 1}`]: { $exists: false } };
  try {
    const taken = await slots.updateOne(free, { $push: { holders: _id } }, { upsert: true });
    return taken.modifiedCount + taken.upsertedCount > 0;
  } catch (error) {
    // The document is there and does not match: no slot is free, or it is held already; or somebody just made it.
    if (!isDuplicateKey(error)) throw error;
    const again = await slots.updateOne(free, { $push: { holders: _id } });
    return again.modifiedCount > 0 || (await slots.exists({ _id: project_id, holders: _id })) !== null;
  }
}

/** Give a slot back. @returns the slots without it */
export async function releaseSlot({ slots }: Context, { _id, project_id }: Holder): Promise<ProjectSlots | null> {
  return slots.findOneAndUpdate({ _id: project_id }, { $pull: { holders: _id } }, { returnDocument: 'after' }).lean();
}

/** Give back slots that a crash left to executions that do not run. */
export async function releaseLeftSlots(ctx: Context): Promise<void> {
  const held = await ctx.slots
    .find({ holders: { $gt: '' } })
    .limit(1_000)
    .lean();
  for (const { _id: project_id, holders } of held) {
    const alive = await ctx.executions.find({ _id: { $in: holders }, active: true }, { _id: 1 }).lean();
    const running = new Set(alive.map(({ _id }) => _id));
    const left = holders.filter((id) => !running.has(id));
    if (left.length > 0) await ctx.slots.updateOne({ _id: project_id }, { $pull: { holders: { $in: left } } });
  }
}
