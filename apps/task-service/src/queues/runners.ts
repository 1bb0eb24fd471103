import { type Connection, type Model, Schema } from 'mongoose';

/** A runner that was heard of. */
export interface Runner {
  /** Unique per process. */
  _id: string;
  /** Executions that it can run at once. */
  slots: number;
  seen_at: Date;
}

/** Runners. */
export type RunnerModel = Model<Runner>;

/** Silence after which a runner counts as gone, in milliseconds: three of its reports. */
const goneAfterMs = 30_000;
/** Silence after which it is removed, in seconds. */
const removedAfterSeconds = 300;

const schema = new Schema<Runner>(
  {
    _id: { type: String, required: true },
    slots: { type: Number, required: true },
    seen_at: { type: Date, required: true },
  },
  { collection: 'runners', versionKey: false },
);
schema.index({ seen_at: 1 }, { expireAfterSeconds: removedAfterSeconds });

/** The runners of a database. */
export function runnerModel(connection: Connection): RunnerModel {
  return connection.model<Runner>('Runner', schema);
}

/** Slots of all runners that are there. */
export async function countSlots(runners: RunnerModel, now = new Date()): Promise<number> {
  const [sum] = await runners.aggregate<{ slots: number }>([
    { $match: { seen_at: { $gt: new Date(now.getTime() - goneAfterMs) } } },
    { $group: { _id: null, slots: { $sum: '$slots' } } },
  ]);
  return sum?.slots ?? 0;
}
