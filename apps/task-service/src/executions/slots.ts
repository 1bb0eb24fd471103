import { Batches, inGroups } from '@claude-cli/shared/batches';
import { isDuplicateKey } from '@claude-cli/shared/mongo';
import { type Connection, type Model, type mongo, Schema } from 'mongoose';
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

/** Who holds a slot. */
export type Holder = Pick<Execution, '_id' | 'project_id'>;

/** Somebody who wants one of so many slots. */
interface Wanted extends Holder {
  limit: number;
}

/** Takes slots, those of a project that are wanted at the same time by one update. Answers whether it has one. */
export type SlotTakes = Batches<Wanted, boolean>;

/** The taking of the slots of a database. */
export function openSlotTakes(slots: SlotModel): SlotTakes {
  const stored = slots.collection as unknown as mongo.Collection<ProjectSlots>;
  return new Batches(
    (wanted) =>
      inGroups(
        wanted,
        ({ project_id, limit }) => `${limit} ${project_id}`,
        (same) => takeEach(stored, same),
      ),
    { most: 200 },
  );
}

/** Take one of the project's slots. Taking it twice takes it once. @returns false when as many as the limit are taken */
export async function acquireSlot(ctx: Context, { _id, project_id }: Holder, limit: number): Promise<boolean> {
  const wanted = { _id, project_id, limit };
  ctx.slotReleases.noteLimit(project_id, limit);
  if (await ctx.slotTakes.add(wanted)) return true;
  return (await ctx.slotReleases.hurry(project_id)) && ctx.slotTakes.add(wanted);
}

/** Take those of one project: all of them at once where there are so many. */
async function takeEach(slots: mongo.Collection<ProjectSlots>, wanted: Wanted[]): Promise<boolean[]> {
  const ids = wanted.map(({ _id }) => _id);
  const [{ project_id, limit } = { project_id: '', limit: 0 }] = wanted;
  if (ids.length > 1 && ids.length <= limit && (await push(slots, project_id, ids, limit))) return ids.map(() => true);
  const taken: boolean[] = [];
  for (const id of ids) taken.push(await takeOne(slots, project_id, id, limit));
  return taken;
}

async function takeOne(slots: mongo.Collection<ProjectSlots>, project_id: string, id: string, limit: number) {
  // At first the document may not have matched because somebody was just making it.
  if ((await push(slots, project_id, [id], limit)) || (await push(slots, project_id, [id], limit, false))) return true;
  return (await slots.countDocuments({ _id: project_id, holders: id }, { limit: 1 })) > 0;
}

/** @returns false when there are not so many free ones, or one of them is held already */
async function push(
  slots: mongo.Collection<ProjectSlots>,
  project_id: string,
  ids: string[],
  limit: number,
  upsert = true,
): Promise<boolean> {
  const free = { _id: project_id, holders: { $nin: ids }, [`holders.${limit - ids.length}`]: { $exists: false } };
  try {
    const taken = await slots.updateOne(free as object, { $push: { holders: { $each: ids } } }, { upsert });
    return taken.modifiedCount + taken.upsertedCount > 0;
  } catch (error) {
    // The document is there and does not match.
    if (!isDuplicateKey(error)) throw error;
    return false;
  }
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
