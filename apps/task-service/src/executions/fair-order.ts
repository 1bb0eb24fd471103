import { type Priority, priorities } from '@claude-cli/shared/amqp/topology';
import { Batches, inGroups } from '@claude-cli/shared/batches';
import { BoundedMap } from '@claude-cli/shared/bounded-map';
import type { Logger } from '@claude-cli/shared/logger';
import { ignoreDuplicateKey, isDuplicateKey } from '@claude-cli/shared/mongo';
import { Recent } from '@claude-cli/shared/recent';
import { type Connection, type Model, type mongo, Schema } from 'mongoose';
import type { Context } from '../context.ts';
import { byPriority } from '../queues/queue-name.ts';

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
export interface FairOrder extends AsyncDisposable {
  clocks: Model<FairClock>;
  places: Model<FairPlace>;
  /** The virtual time of a priority: not before what this process has seen, and a second late for what others claim. */
  virtualTime(priority: Priority): Promise<number>;
  /** The virtual time goes on to a place. Stored a moment later: should it be lost, the next claim makes up for it. */
  advance(priority: Priority, place: number): void;
  /** The next place of a project. Those that are wanted at the same time are taken together. */
  take(wanted: Wanted): Promise<number>;
  /**
   * The place of what is ready alone: behind the virtual time, whatever came before. It is not stored. What others queue for the
   * project in the same second may get the same place, and then ids decide.
   */
  takeFirst(wanted: Wanted): number;
}

/** How long a virtual time that was read is used: until when as it is, and until when while it is read anew. */
const read = { freshMs: 1_000, usableMs: 5_000 };
/** Advances of so many milliseconds are stored together. */
const advances = { gatherMs: 200, most: 10_000 };

/** Places that are remembered and not stored. */
const rememberedPlaces = 10_000;

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

/** Places of a database. */
export function fairPlaceModel(connection: Connection): Model<FairPlace> {
  return connection.model<FairPlace>('FairPlace', placeSchema);
}

/** The order of a database. Resolves when each priority has a clock. */
export async function openFairOrder(connection: Connection, log: Logger): Promise<FairOrder> {
  const clocks = connection.model<FairClock>('FairClock', clockSchema);
  const places = fairPlaceModel(connection);
  const first = { virtual_time: 0, counted_at: new Date(0), lacking: 0 };
  for (const _id of priorities) {
    await clocks.updateOne({ _id }, { $setOnInsert: first }, { upsert: true }).catch(ignoreDuplicateKey);
  }
  const seen = byPriority(() => 0);
  const recent = new Recent<number>({ ...read, max: priorities.length });
  const readTime = async (_id: Priority) =>
    (await clocks.findOne({ _id }, { virtual_time: 1 }).lean())?.virtual_time ?? 0;
  const stored = new Batches<Priority, undefined>(async (advanced) => {
    const updates = [...new Set(advanced)].map((_id) => ({
      updateOne: { filter: { _id }, update: { $max: { virtual_time: seen[_id] } } },
    }));
    await clocks.bulkWrite(updates, { ordered: false });
    return advanced.map(() => undefined);
  }, advances);
  const unstored = new BoundedMap<string, number>(rememberedPlaces);
  const taken = new Batches<Wanted, number>(
    (wanted) =>
      inGroups(
        wanted,
        ({ _id }) => _id,
        (ofOne) => takePlaces(places, ofOne),
      ),
    { most: 200 },
  );
  return {
    clocks,
    places,
    take: ({ _id, now }) => taken.add({ _id, now: Math.max(now, unstored.get(_id) ?? 0) }),
    takeFirst: ({ _id, now }) => {
      const place = Math.max(now, unstored.get(_id) ?? 0) + 1;
      unstored.set(_id, place);
      return place;
    },
    virtualTime: async (priority) => Math.max(seen[priority], await recent.get(priority, () => readTime(priority))),
    advance: (priority, place) => {
      if (place <= seen[priority]) return;
      seen[priority] = place;
      stored.add(priority).catch((err) => log.warn({ err, priority }, 'the virtual time of a queue stays behind'));
    },
    [Symbol.asyncDispose]: () => stored[Symbol.asyncDispose](),
  };
}

/** Place an execution that becomes ready now. Places that are given and not used leave gaps, which do no harm. */
export async function nextPlace({ fair, queues }: Context, project_id: string, priority: Priority): Promise<number> {
  const _id = `${priority} ${project_id}`;
  const now = await fair.virtualTime(priority);
  const isAlone = (await queues.sizes.ready(priority)) === 0;
  return isAlone ? fair.takeFirst({ _id, now }) : fair.take({ _id, now });
}

/** Somebody who wants the next place of a project in a priority. */
interface Wanted {
  _id: string;
  /** Virtual time of the priority. */
  now: number;
}

/** Give those who want one of the same project their places, in their order. */
async function takePlaces(places: Model<FairPlace>, wanted: Wanted[]): Promise<number[]> {
  const _id = wanted[0]?._id ?? '';
  const now = Math.max(...wanted.map((each) => each.now));
  const count = wanted.length;
  const behind = [{ $set: { latest: { $add: [{ $max: ['$latest', now] }, count] }, used_at: new Date() } }];
  const stored = places.collection as unknown as mongo.Collection<FairPlace>;
  const place = () => stored.findOneAndUpdate({ _id }, behind, { upsert: true, returnDocument: 'after' });
  // Of two that are the first of their project, one makes the document.
  const placed = await place().catch((error) => {
    if (!isDuplicateKey(error)) throw error;
    return place();
  });
  if (!placed) throw new Error('an upsert answered nothing');
  return wanted.map((_, n) => placed.latest - count + 1 + n);
}
