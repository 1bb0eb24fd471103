import type { Execution_Status } from '@claude-cli/proto/platform/v1/executions';
import { type Priority, priorities } from '@claude-cli/shared/amqp/topology';
import { Batches } from '@claude-cli/shared/batches';
import { newId } from '@claude-cli/shared/ids';
import { insertEach } from '@claude-cli/shared/mongo';
import { type OutboxEntry, outboxIndex } from '@claude-cli/shared/outbox';
import { traced } from '@claude-cli/shared/telemetry/tracing';
import { type Connection, type Model, type mongo, Schema } from 'mongoose';

// The life of an execution. Every arrow is one guarded update that also pushes what it causes into the outbox.
//
//   queued ──claim──▶ running ──report──▶ completed | failed | timed_out | cancelled
//     │                 │ failed, timed out or lease expired, and attempts remain
//     │                 └──▶ queued (ready after a pause)
//     ├──cancel──▶ cancelled
//     └──a task that it waits for fails──▶ failed
//
// `waiting_for` says what a queued execution waits for. One that waits for its turn is ready, and has a place among the ready
// ones of its priority: `fair_at`, see fair-order.ts. The messages in the queues of the broker name no execution: each is a
// token, "something of this priority may run", and whoever brings it is given the execution whose turn it is. So MongoDB is
// the truth and the message a hint: one too many finds nothing to run, and what lacks one is announced by the sweep.
//
// `generation` counts the claims, and the moves to another queue: a report of an earlier one is void.

/**
 * What a queued execution waits for: its turn; the end of the pause before another attempt; one of the slots of its project;
 * tasks that its task depends on; the end of the agent's rate limit.
 */
export type Waiting = 'turn' | 'backoff' | 'project_limit' | 'dependency' | 'agent_rate_limit';

/** Something that a transition causes, told after it is stored. */
export interface ExecutionEntry extends OutboxEntry {
  /** queued: tell the task and the runners; started, retrying, ended: tell the task; stop: tell the runner to stop it. */
  kind: 'queued' | 'started' | 'retrying' | 'ended' | 'stop';
  generation: number;
}

/** Who runs it, and until when it is believed without a sign of life. */
export interface Lease {
  runner_id: string;
  /** The question that it was granted to: asked again, it is granted the same. */
  claim_id?: string;
  expires_at: Date;
}

/** An attempt that ended. */
export interface Attempt {
  attempt: number;
  status: Exclude<Execution_Status, 'queued' | 'running'>;
  /** Null when it never started. */
  started_at: Date | null;
  finished_at: Date;
  exit_code: number | null;
  error: string | null;
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
  /** How often a run was postponed without using up an attempt; absent: never. */
  postponements?: number;
  timeout_ms: number;
  command: string | null;
  prompt: string;
  generation: number;
  lease: Lease | null;
  queued_at: Date;
  /** Null once it runs or has ended. */
  waiting_for: Waiting | null;
  /** Place among the ready ones of its priority, lowest first; null until it is ready for the first time. */
  fair_at: number | null;
  /** When what it waits for is over, or is to be looked at again; null where something else tells. */
  due_at: Date | null;
  /** It waits for the tasks that its task depends on, instead of being refused. */
  wait_for_dependencies: boolean;
  /** Tasks that it waits for; absent when there are none. */
  waits_on?: string[];
  /** Version of its queue's state when it was paused last: claims that have read an older state are void. */
  fence: number;
  started_at: Date | null;
  finished_at: Date | null;
  exit_code: number | null;
  error: string | null;
  result: Record<string, unknown> | null;
  /** Bytes of output that are stored of it, once it has ended. */
  output_bytes: number;
  /** Processor time of the latest attempt, in seconds; null where that is not known. */
  cpu_seconds: number | null;
  /** Most memory that the latest attempt held at a time, in bytes; null where that is not known. */
  peak_memory_bytes: number | null;
  /** Attempts that ended, oldest first: no more than max_attempts. */
  attempts: Attempt[];
  /** The agent was to go on with an earlier conversation; absent: it was not. */
  resume?: boolean;
  /** Conversations with which the agent may go on, the best first; absent: none. */
  conversations?: string[];
  /** Runs of the agent that ended, postponed ones too, and what they cost in dollars; absent: none. */
  agent_runs?: number;
  agent_cost_usd?: number;
  cancel_request: CancelRequest | null;
  /** The place in a trace where it was queued: everything about it belongs there; absent where none is recorded. */
  traceparent?: string;
  /** Where the attempt before ended; absent as above. */
  tried_before?: string;
  outbox: ExecutionEntry[];
}

/** Executions. */
export type ExecutionModel = Model<Execution>;

/** Executions as the driver knows them, for what is done with each: it casts nothing, which takes a third of the time. */
export function driverOf(executions: ExecutionModel): mongo.Collection<Execution> {
  return executions.collection as unknown as mongo.Collection<Execution>;
}

/** Stores new executions, those that come at the same time together. Rejects as an insertion of one does. */
export type ExecutionInserts = Batches<Execution, undefined>;

/** The insertions of a database. */
export function openExecutionInserts(executions: ExecutionModel): ExecutionInserts {
  return new Batches((added) => insertEach(executions.collection, added), { most: 200 });
}

/**
 * The order in which ready executions of a priority have their turns. The index holds all executions: some servers with MongoDB's
 * protocol sort what they find by a partial one.
 */
export const turnIndex = { status: 1, rank: 1, waiting_for: 1, fair_at: 1, _id: 1 } as const;

// Other indexes of what waits or runs hold nothing else: they stay small beside all that has ended, whose ends they need not hear
// of. The status is at their end, so that a count is answered by them alone.
const queued = { partialFilterExpression: { status: 'queued' } };
const running = { partialFilterExpression: { status: 'running' } };

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
    postponements: { type: Number },
    timeout_ms: { type: Number, required: true },
    command: { type: String, default: null },
    prompt: { type: String, default: '' },
    generation: { type: Number, required: true },
    lease: { type: Schema.Types.Mixed, default: null },
    queued_at: { type: Date, required: true },
    waiting_for: { type: String, default: null },
    fair_at: { type: Number, default: null },
    due_at: { type: Date, default: null },
    wait_for_dependencies: { type: Boolean, default: false },
    // Absent, not empty, so that its index holds only those that wait.
    waits_on: { type: [String], default: undefined } as never,
    fence: { type: Number, default: 0 },
    started_at: { type: Date, default: null },
    finished_at: { type: Date, default: null },
    exit_code: { type: Number, default: null },
    error: { type: String, default: null },
    result: { type: Schema.Types.Mixed, default: null },
    output_bytes: { type: Number, default: 0 },
    cpu_seconds: { type: Number, default: null },
    peak_memory_bytes: { type: Number, default: null },
    attempts: { type: [Schema.Types.Mixed], default: [] } as never,
    resume: { type: Boolean },
    // Absent, not empty, where the agent has nothing to do with it.
    conversations: { type: [String], default: undefined } as never,
    agent_runs: { type: Number },
    agent_cost_usd: { type: Number },
    cancel_request: { type: Schema.Types.Mixed, default: null },
    traceparent: { type: String },
    tried_before: { type: String },
    outbox: { type: [Schema.Types.Mixed], default: [] } as never,
  },
  { collection: 'executions', versionKey: false, minimize: false },
);
schema.index({ task_id: 1 }, { unique: true, name: 'one_active_per_task', partialFilterExpression: { active: true } });
schema.index({ task_id: 1, queued_at: -1 });
schema.index(turnIndex);
schema.index({ rank: 1, queued_at: 1, status: 1 }, queued);
schema.index({ waiting_for: 1, due_at: 1, status: 1 }, queued);
schema.index({ project_id: 1, waiting_for: 1, rank: 1, fair_at: 1, status: 1 }, queued);
schema.index({ 'lease.expires_at': 1, status: 1 }, running);
schema.index({ waits_on: 1 }, { sparse: true });
schema.index({ 'lease.claim_id': 1 }, { sparse: true, unique: true });
schema.index({ finished_at: 1, status: 1 });
schema.index({ rank: 1, queued_at: 1 });
schema.index({ project_id: 1, finished_at: 1, output_bytes: 1 });
schema.index(
  { project_id: 1, finished_at: 1, agent_runs: 1, agent_cost_usd: 1 },
  { partialFilterExpression: { agent_runs: { $gt: 0 } } },
);
schema.index(...outboxIndex);

/** The executions of a database. */
export function executionModel(connection: Connection): ExecutionModel {
  return connection.model<Execution>('Execution', schema);
}

/** A new outbox entry. */
export function entry(kind: ExecutionEntry['kind'], generation: number): ExecutionEntry {
  return { id: newId(), time: new Date().toISOString(), kind, generation, ...traced() };
}

/** Pause before a failed attempt is tried again: a second, doubled each time, at most five minutes, with jitter of a half. */
export function retryDelayMs(attempt: number, random = Math.random()): number {
  return Math.min(1_000 * 2 ** (attempt - 1), 300_000) * (0.5 + random / 2);
}

/** Position of a priority, 0 for the highest. */
export function rankOf(priority: Priority): number {
  return priorities.indexOf(priority);
}
