import { type Priority, priorities } from '@claude-cli/shared/amqp/topology';
import { ignoreDuplicateKey, isDuplicateKey } from '@claude-cli/shared/mongo';
import { type Connection, type Model, Schema } from 'mongoose';
import type { Context } from '../context.ts';
import type { Execution } from './execution.ts';

// Fair among projects, by start-time fair queueing. Each priority has a virtual time: the place (`fair_at`) of what was
// claimed last. What becomes ready is placed one behind the latest of its project, or one behind the virtual time when the
// project has been idle since. So a project that queues 10,000 at once has places 1 to 10,000, and what another one queues
// then is placed beside the first that still waits, not behind the last; within a project the order is that of becoming ready.

/** The virtual time of a priority, and when its tokens were counted last. */
export interface FairClock {
  _id: Priority;
  virtual_time: number;
  /** When it was last looked at how many tokens lack; see tokens.ts. */
  counted_at: Date;
  /** How many lacked then. */
  lacking: number;
}

/** Where a project's latest execution of a priority was placed. */
export interface FairPlace {
  /** Priority and project. */
  _id: string;
  latest: number;
  used_at: Date;
}

/** What the order needs. */
export interface FairOrder {
  clocks: Model<FairClock>;
  places: Model<FairPlace>;
}

/** How long the place of an idle project is kept, in seconds: far longer than anything waits. */
const keptSeconds = 30 * 24 * 3_600;

const clockSchema = new Schema<FairClock>(
  {
    _id: { type: String, required: true },
    virtual_time: { type: Number, required: true },
    counted_at: { type: Date, required: true },
    lacking: { type: Number, required: true },
  },
  { collection: 'fair_clocks', versionKey: false },
);
const placeSchema = new Schema<FairPlace>(
  {
    _id: { type: String, required: true },
    latest: { type: Number, required: true },
    used_at: { type: Date, required: true },
  },
  { collection: 'fair_places', versionKey: false },
);
placeSchema.index({ used_at: 1 }, { expireAfterSeconds: keptSeconds });

/** The order of a database. Resolves when each priority has a clock. */
export async function openFairOrder(connection: Connection): Promise<FairOrder> {
  const clocks = connection.model<FairClock>('FairClock', clockSchema);
  const places = connection.model<FairPlace>('FairPlace', placeSchema);
  await Promise.all([clocks.init(), places.init()]);
  const first = { virtual_time: 0, counted_at: new Date(0), lacking: 0 };
  for (const _id of priorities) {
    await clocks.updateOne({ _id }, { $setOnInsert: first }, { upsert: true }).catch(ignoreDuplicateKey);
  }
  return { clocks, places };
}

/** Place an execution that becomes ready now. Places that are given and not used leave gaps, which do no harm. */
export async function nextPlace({ fair }: Context, project_id: string, priority: Priority): Promise<number> {
  const clock = await fair.clocks.findOne({ _id: priority }, { virtual_time: 1 }).lean();
  const _id = `${priority} ${project_id}`;
  const behind = [
    { $set: { latest: { $add: [{ $max: ['$latest', clock?.virtual_time ?? 0] }, 1] }, used_at: new Date() } },
  ];
  const place = () =>
    fair.places
      .findOneAndUpdate({ _id }, behind, { upsert: true, returnDocument: 'after', updatePipeline: true })
      .lean();
  // Of two that are the first of their project, one makes the document.
  const placed = await place().catch((error) => {
    if (!isDuplicateKey(error)) throw error;
    return place();
  });
  return placed.latest;
}

/** The virtual time goes on to what was just claimed. Should it be lost, the next claim makes up for it. */
export async function advanceTo({ fair, log }: Context, { priority, fair_at }: Execution): Promise<void> {
  if (fair_at === null) return;
  await fair.clocks
    .updateOne({ _id: priority }, { $max: { virtual_time: fair_at } })
    .catch((err) => log.warn({ err, priority }, 'the virtual time of a queue stays behind'));
}
