import { type Connection, type Model, Schema } from 'mongoose';
import type { Sums } from './settled-sum.ts';

/** A task that is just being created. */
export interface TaskReservation {
  task_id: string;
  at: Date;
}

/** How many tasks there were at most, once those were stored that had been reserved by then. */
export interface CountedTasks {
  tasks: number;
  /** How many had been reserved by then, as `reserved` of the project counts them. */
  reserved: number;
  at: Date;
}

/** What a project uses of its limits, as far as counting it anew each time would not do. */
export interface ProjectUsage {
  /** Id of the project. */
  _id: string;
  /** Tasks that are being created, in the order in which they were reserved. */
  creating: TaskReservation[];
  /** How many were ever reserved. Absent from documents of earlier versions. */
  reserved?: number;
  /** What a large project was last known to hold. */
  counted?: CountedTasks | null;
  /** Executions that ended before have been dropped, or are about to be: their output is not stored any more. */
  counted_from?: Date | null;
  /** Stored output of executions. */
  output: Sums<'bytes'> | null;
  /** Runs of the agent. Absent from documents of earlier versions. */
  agent?: Sums<'runs' | 'cost_usd'> | null;
}

/** Usage of all projects. */
export type UsageModel = Model<ProjectUsage>;

const schema = new Schema<ProjectUsage>(
  {
    _id: { type: String, required: true },
    creating: { type: [Schema.Types.Mixed], default: [] } as never,
    reserved: { type: Number },
    counted: { type: Schema.Types.Mixed },
    counted_from: { type: Date, default: null },
    output: { type: Schema.Types.Mixed, default: null },
    agent: { type: Schema.Types.Mixed, default: null },
  },
  { collection: 'project_usage', versionKey: false },
);
schema.index({ 'creating.at': 1 }, { sparse: true });

/** The usage of a database. */
export function usageModel(connection: Connection): UsageModel {
  return connection.model<ProjectUsage>('ProjectUsage', schema);
}
