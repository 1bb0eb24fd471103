import type { Execution_Status } from '@claude-cli/proto/platform/v1/executions';
import { type Priority, priorities } from '@claude-cli/shared/amqp/topology';
import { newId } from '@claude-cli/shared/ids';
import { type OutboxEntry, outboxIndex } from '@claude-cli/shared/outbox';
import { type Connection, type Model, Schema } from 'mongoose';

// The life of an execution. Every arrow is one guarded update that also pushes what it causes into the outbox.
//
//   queued ──claim──▶ running ──report──▶ completed | failed | timed_out | cancelled
//     │                 │ failed, timed out or lease expired, and attempts remain
//     │                 └──▶ queued (due after a pause)
//     └──cancel──▶ cancelled
//
// `generation` counts the claims, and the moves to another queue: a message or a report of an earlier one is void.
// `due_at` is when a queued execution is announced (again) to the runners: the message is a hint, this document the truth.
// While its queue is paused nothing is announced; what was refused for that is due since it was queued, so that it is announced,
// in that order, when the queue goes on.

/** Something that a transition causes, told after it is stored. */
export interface ExecutionEntry extends OutboxEntry {
  /** queued: tell the task and the runners; started, retrying, ended: tell the task; stop: tell the runner to stop it. */
  kind: 'queued' | 'started' | 'retrying' | 'ended' | 'stop';
  generation: number;
}

/** Who runs it, and until when it is believed without a sign of life. */
export interface Lease {
  runner_id: string;
  expires_at: Date;
}

/** A person's wish that it ends. */
export interface CancelRequest {
  by: string;
  reason: string | null;
  at: Date;
}

/** A stored execution: one run of a task, with its attempts. */
export interface Execution {
  _id: string;
  task_id: string;
  project_id: string;
  requested_by: string;
  status: Execution_Status;
  /** True while queued or running: the unique index on it allows one such execution per task. Absent afterwards. */
  active?: true;
  priority: Priority;
  /** Position of the priority, 0 for the highest: for sorting. */
  rank: number;
  /** 1 for the first run of the task, 2 for its first retry by hand, and so on. */
  run_number: number;
  attempt: number;
  max_attempts: number;
  timeout_ms: number;
  command: string | null;
  prompt: string;
  generation: number;
  lease: Lease | null;
  queued_at: Date;
  due_at: Date | null;
  announcements: number;
  /** It was refused for the project's limit of concurrent tasks and waits for one to end. */
  deferred: boolean;
  /** Version of its queue's state when it was paused last: claims that have read an older state are void. */
  fence: number;
  started_at: Date | null;
  finished_at: Date | null;
  exit_code: number | null;
  error: string | null;
  result: Record<string, unknown> | null;
  /** Bytes of output that are stored of it, once it has ended. */
  output_bytes: number;
  cancel_request: CancelRequest | null;
  outbox: ExecutionEntry[];
}

/** Executions. */
export type ExecutionModel = Model<Execution>;

const schema = new Schema<Execution>(
  {
    _id: { type: String, required: true },
    task_id: { type: String, required: true },
    project_id: { type: String, required: true },
    requested_by: { type: String, required: true },
    status: { type: String, required: true },
    active: { type: Boolean },
    priority: { type: String, required: true },
    rank: { type: Number, required: true },
    run_number: { type: Number, required: true },
    attempt: { type: Number, required: true },
    max_attempts: { type: Number, required: true },
    timeout_ms: { type: Number, required: true },
    command: { type: String, default: null },
    prompt: { type: String, default: '' },
    generation: { type: Number, required: true },
    lease: { type: Schema.Types.Mixed, default: null },
    queued_at: { type: Date, required: true },
    due_at: { type: Date, default: null },
    announcements: { type: Number, required: true },
    deferred: { type: Boolean, required: true },
    fence: { type: Number, default: 0 },
    started_at: { type: Date, default: null },
    finished_at: { type: Date, default: null },
    exit_code: { type: Number, default: null },
    error: { type: String, default: null },
    result: { type: Schema.Types.Mixed, default: null },
    output_bytes: { type: Number, default: 0 },
    cancel_request: { type: Schema.Types.Mixed, default: null },
    outbox: { type: [Schema.Types.Mixed], default: [] } as never,
  },
  { collection: 'executions', versionKey: false, minimize: false },
);
schema.index({ task_id: 1 }, { unique: true, name: 'one_active_per_task', partialFilterExpression: { active: true } });
schema.index({ task_id: 1, queued_at: -1 });
schema.index({ status: 1, rank: 1, queued_at: 1 });
schema.index({ status: 1, rank: 1, due_at: 1 });
schema.index({ status: 1, 'lease.expires_at': 1 });
schema.index({ finished_at: 1, status: 1 });
schema.index({ rank: 1, queued_at: 1 });
schema.index({ project_id: 1, finished_at: 1, output_bytes: 1 });
schema.index({ project_id: 1, status: 1, deferred: 1, rank: 1, queued_at: 1 });
schema.index(...outboxIndex);

/** The executions of a database. */
export function executionModel(connection: Connection): ExecutionModel {
  return connection.model<Execution>('Execution', schema);
}

/** A new outbox entry. */
export function entry(kind: ExecutionEntry['kind'], generation: number): ExecutionEntry {
  return { id: newId(), time: new Date().toISOString(), kind, generation };
}

/** Pause before a lost announcement is made again: a minute, doubled each time, at most an hour. */
export function nextAnnouncement(announcements: number, now = Date.now()): Date {
  return new Date(now + Math.min(60_000 * 2 ** announcements, 3_600_000));
}

/** Whether it waits out the pause before another attempt: it has not been announced for that attempt. */
export function isBackingOff({ attempt, announcements }: Execution): boolean {
  return attempt > 1 && announcements === 0;
}

/** Pause before a failed attempt is tried again: a second, doubled each time, at most five minutes, with jitter of a half. */
export function retryDelayMs(attempt: number, random = Math.random()): number {
  return Math.min(1_000 * 2 ** (attempt - 1), 300_000) * (0.5 + random / 2);
}

/** Position of a priority, 0 for the highest. */
export function rankOf(priority: Priority): number {
  return priorities.indexOf(priority);
}
