import type {
  Dependency_Type,
  Task_Status,
  Task as TaskMessage,
  TaskSummary,
} from '@claude-cli/proto/platform/v1/tasks';
import { formatDuration } from '@claude-cli/shared/duration';
import { PlatformError } from '@claude-cli/shared/errors';
import type { AnyEvent, Change, TaskFacts } from '@claude-cli/shared/events';
import type { Aggregate } from '@claude-cli/shared/guarded-update';
import { outboxIndex } from '@claude-cli/shared/outbox';
import { type Connection, type Model, Schema } from 'mongoose';
import { type StoredSchedule, toProto as toSchedule } from '../schedules/schedule.ts';

/** Another task that a task depends on. */
export interface StoredDependency {
  id: string;
  depends_on_task_id: string;
  dependency_type: Dependency_Type;
}

/** What a task is about to be blocked by: others who look for cycles count it, see dependencies/claim-blockers.ts. */
export interface DependencyClaim {
  token: string;
  task_ids: string[];
  at: Date;
}

/** The execution whose news a task took last: older news is void. */
export interface LatestRun {
  execution_id: string;
  /** See Execution. Absent where an earlier version stored it. */
  run_number?: number;
  generation: number;
  ended: boolean;
}

/** A stored task. */
export interface Task extends Aggregate<AnyEvent> {
  title: string;
  description: string;
  project_id: string;
  status: Task_Status;
  priority: number;
  progress_percentage: number;
  estimated_duration_ms: number | null;
  actual_duration_ms: number | null;
  assigned_to: string | null;
  created_by: string;
  created_at: Date;
  started_at: Date | null;
  completed_at: Date | null;
  tags: string[];
  metadata: Record<string, unknown>;
  command: string | null;
  dependencies: StoredDependency[];
  claimed_dependencies: DependencyClaim | null;
  latest_run: LatestRun | null;
  /** Executions of other tasks have waited for it, so some may still do; absent: none has. See wait-for-dependencies.ts. */
  awaited?: true;
  /** When it is executed by itself; null: only when somebody asks for it. */
  schedule: StoredSchedule | null;
  /** What it is found and sorted by, see searchable.ts. */
  terms: string[];
  term_texts: Record<string, string>;
  title_key: string;
}

/** What can be long in a task and says nothing about how it is doing. */
export const longFields = ['description', 'metadata', 'terms', 'term_texts'] as const;

/** A task without what can be long in it. */
export type BriefTask = Omit<Task, (typeof longFields)[number]>;

/** What is not long in a task, and nothing of its outbox. */
export function brief(task: BriefTask & Partial<Task>): BriefTask {
  const { description, metadata, terms, term_texts, ...rest } = task;
  return { ...rest, outbox: [] };
}

/** Labels that a task may have. */
export const maxTags = 50;

/** Tasks. */
export type TaskModel = Model<Task>;

/** What ended in a time, and what ended last. */
export const endedIndex = { project_id: 1, deleted_at: 1, completed_at: 1 } as const;

const schema = new Schema<Task>(
  {
    _id: { type: String, required: true },
    title: { type: String, required: true },
    description: { type: String, default: '' },
    project_id: { type: String, required: true },
    status: { type: String, required: true },
    priority: { type: Number, required: true },
    progress_percentage: { type: Number, required: true },
    estimated_duration_ms: { type: Number, default: null },
    actual_duration_ms: { type: Number, default: null },
    assigned_to: { type: String, default: null },
    created_by: { type: String, required: true },
    created_at: { type: Date, required: true },
    updated_at: { type: Date, required: true },
    started_at: { type: Date, default: null },
    completed_at: { type: Date, default: null },
    tags: { type: [String], required: true },
    metadata: { type: Schema.Types.Mixed, required: true },
    command: { type: String, default: null },
    dependencies: { type: [Schema.Types.Mixed], default: [] } as never,
    claimed_dependencies: { type: Schema.Types.Mixed, default: null },
    latest_run: { type: Schema.Types.Mixed, default: null },
    awaited: { type: Boolean },
    schedule: { type: Schema.Types.Mixed, default: null },
    terms: { type: [String], required: true },
    term_texts: { type: Schema.Types.Mixed, required: true },
    title_key: { type: String, required: true },
    version: { type: Number, required: true },
    deleted_at: { type: Date, default: null },
    deleted_by: { type: String, default: null },
    outbox: { type: [Schema.Types.Mixed], default: [] } as never,
  },
  { collection: 'tasks', versionKey: false, minimize: false },
);
schema.index({ terms: 1, deleted_at: 1, project_id: 1, created_at: -1, _id: -1 });
schema.index({ tags: 1, deleted_at: 1, project_id: 1, created_at: -1, _id: -1 });
// Lists: what is asked for exactly, then the order, with _id at its end so that pages never overlap. A list of tasks of any
// status asks for all of them, so that these serve it too.
for (const field of ['created_at', 'updated_at', 'priority', 'title_key']) {
  schema.index(
    { assigned_to: 1, status: 1, deleted_at: 1, [field]: -1, _id: -1 },
    { partialFilterExpression: { assigned_to: { $gt: '' } } },
  );
  schema.index({ project_id: 1, deleted_at: 1, status: 1, [field]: -1, _id: -1 });
  schema.index({ deleted_at: 1, status: 1, [field]: -1, _id: -1 });
}
// What was created in a time, whatever its status.
schema.index({ project_id: 1, deleted_at: 1, created_at: -1, _id: -1 });
// Analytics: what ended in a time; and durations in their order, for medians.
schema.index(endedIndex);
schema.index(
  { project_id: 1, status: 1, deleted_at: 1, actual_duration_ms: 1, completed_at: 1 },
  { partialFilterExpression: { status: 'completed', actual_duration_ms: { $gte: 0 } } },
);
schema.index({ created_by: 1, deleted_at: 1, status: 1 });
// Schedules: whose time has come, what a replica left, and how many there are.
schema.index({ 'schedule.next_run_at': 1 }, { sparse: true });
schema.index({ 'schedule.pending.claimed_at': 1 }, { sparse: true });
schema.index(
  { project_id: 1, deleted_at: 1, 'schedule.next_run_at': 1 },
  { partialFilterExpression: { 'schedule.next_run_at': { $gt: new Date(0) } } },
);
schema.index(...outboxIndex);

/** The tasks of a database. */
export function taskModel(connection: Connection): TaskModel {
  return connection.model<Task>('Task', schema);
}

/** The moves of a status that people may make by hand. Executions make their own. */
const transitions: Readonly<Record<Task_Status, readonly Task_Status[]>> = {
  pending: ['running', 'completed', 'failed', 'cancelled'],
  running: ['pending', 'completed', 'failed', 'cancelled'],
  completed: ['pending', 'running'],
  failed: ['pending', 'running', 'cancelled'],
  cancelled: ['pending', 'running'],
};

/** Refuse a status that does not follow from the present one. */
export function requireTransition(from: Task_Status, to: Task_Status): void {
  if (from === to || transitions[from].includes(to)) return;
  const issue = `cannot change from ${from} to ${to}`;
  throw new PlatformError('RESOURCE_CONFLICT', `The status of the task ${issue}`, { field: 'status', issue });
}

/** What else changes with a status. */
export function withStatus(task: BriefTask, status: Task_Status, now = new Date()): Partial<Task> {
  if (status === task.status) return {};
  if (status === 'pending')
    return { status, started_at: null, completed_at: null, actual_duration_ms: null, progress_percentage: 0 };
  if (status === 'running') return { status, started_at: now, completed_at: null, actual_duration_ms: null };
  const actual_duration_ms = task.started_at ? now.getTime() - task.started_at.getTime() : null;
  const progress = status === 'completed' ? { progress_percentage: 100 } : {};
  return { status, completed_at: now, actual_duration_ms, ...progress };
}

/** The error for a task that is not there. */
export function taskNotFound(task_id: string): PlatformError {
  return new PlatformError('TASK_NOT_FOUND', 'The task does not exist', { task_id });
}

/** The error for a task that cannot be touched while it is queued or running. */
export function taskAlreadyRunning(task_id: string): PlatformError {
  return new PlatformError('TASK_ALREADY_RUNNING', 'The task is already queued or running', { task_id });
}

/** What events tell about a task as it is after the change. */
export function factsOf(task: BriefTask, changes: Change[], updated_at = task.updated_at): TaskFacts {
  const { _id: task_id, title, status, progress_percentage } = task;
  return { task_id, title, status, progress_percentage, updated_at: updated_at.toISOString(), changes };
}

/** Stored fields of which a summary is made. */
export const summaryFields = [
  '_id',
  'title',
  'project_id',
  'status',
  'priority',
  'progress_percentage',
  'assigned_to',
  'created_at',
  'updated_at',
  'tags',
] as const satisfies (keyof Task)[];

/** A task as lists show it. */
export function toSummary(task: Pick<Task, (typeof summaryFields)[number]>): TaskSummary {
  return {
    id: task._id,
    title: task.title,
    project_id: task.project_id,
    status: task.status,
    priority: task.priority,
    progress_percentage: task.progress_percentage,
    assigned_to: task.assigned_to ?? undefined,
    created_at: task.created_at.toISOString(),
    updated_at: task.updated_at.toISOString(),
    tags: task.tags,
  };
}

/** A task as the contract shows it. */
export function toProto(task: Task): TaskMessage {
  return {
    ...toSummary(task),
    description: task.description,
    estimated_duration: task.estimated_duration_ms === null ? undefined : formatDuration(task.estimated_duration_ms),
    actual_duration: durationOf(task),
    created_by: task.created_by,
    started_at: task.started_at?.toISOString(),
    completed_at: task.completed_at?.toISOString(),
    metadata: task.metadata,
    command: task.command ?? undefined,
    schedule: task.schedule ? toSchedule(task.schedule) : undefined,
  };
}

function durationOf(task: Task): string | undefined {
  if (task.actual_duration_ms !== null) return formatDuration(task.actual_duration_ms);
  if (task.status === 'running' && task.started_at) return formatDuration(Date.now() - task.started_at.getTime());
  return undefined;
}
