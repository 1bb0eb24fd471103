import { Batches } from '@claude-cli/shared/batches';
import type { AnyEvent, Change } from '@claude-cli/shared/events';
import { insertEach, isDuplicateKey } from '@claude-cli/shared/mongo';
import { type Connection, type Model, Schema } from 'mongoose';
import type { Context } from '../context.ts';
import type { Task } from '../tasks/task.ts';

/** What a kind of change is called in histories. */
export type HistoryAction = 'created' | 'updated' | 'status_changed' | 'assigned' | 'deleted';

/** One entry of a task's history: the projection of one event. */
export interface HistoryEntry {
  /** Id of the event, so that projecting it twice is harmless. */
  _id: string;
  task_id: string;
  project_id: string;
  timestamp: Date;
  action: HistoryAction;
  /** Type of the event. */
  event: string;
  user_id: string;
  /** Session in which it was caused; null where none was named. */
  session_id: string | null;
  task_title: string;
  details: Record<string, unknown>;
}

/** Histories of all tasks. */
export type HistoryModel = Model<HistoryEntry>;

const schema = new Schema<HistoryEntry>(
  {
    _id: { type: String, required: true },
    task_id: { type: String, required: true },
    project_id: { type: String, required: true },
    timestamp: { type: Date, required: true },
    action: { type: String, required: true },
    event: { type: String, required: true },
    user_id: { type: String, required: true },
    session_id: { type: String, default: null },
    task_title: { type: String, required: true },
    details: { type: Schema.Types.Mixed, required: true },
  },
  { collection: 'task_history', versionKey: false, minimize: false },
);
schema.index({ task_id: 1, timestamp: -1, _id: -1 });
schema.index({ project_id: 1, timestamp: -1, _id: -1 });
schema.index({ timestamp: 1 });
schema.index(
  { session_id: 1, user_id: 1, timestamp: 1, _id: 1 },
  { partialFilterExpression: { session_id: { $gt: '' } } },
);

/** The histories of a database. */
export function historyModel(connection: Connection): HistoryModel {
  return connection.model<HistoryEntry>('HistoryEntry', schema);
}

/** The entry that an event makes; undefined for events that histories leave out, such as progress. */
export function entryOf(event: AnyEvent): HistoryEntry | undefined {
  if (!('changes' in event.data && 'task_id' in event.data) || event.type === 'task.progress') return undefined;
  const { task_id, title, changes } = event.data;
  return {
    _id: event.id,
    task_id,
    project_id: event.project_id ?? '',
    timestamp: new Date(event.time),
    event: event.type,
    user_id: event.actor,
    session_id: event.session_id,
    task_title: title,
    ...described(event, changes),
  };
}

function described(event: AnyEvent, changes: Change[]): Pick<HistoryEntry, 'action' | 'details'> {
  if (event.type === 'task.created') return { action: 'created', details: { initial_data: event.data.initial_data } };
  if (event.type === 'task.deleted') return { action: 'deleted', details: {} };
  const { status, ...others } = Object.fromEntries(changes.map(({ field, ...values }) => [field, values]));
  if (status) {
    const more = Object.keys(others).length > 0 ? { changes: others } : {};
    return { action: 'status_changed', details: { ...status, ...outcomeOf(event), ...more } };
  }
  if (others.assigned_to && changes.length === 1) return { action: 'assigned', details: { ...others.assigned_to } };
  return { action: 'updated', details: { changes: others } };
}

/** Which fields an entry says were changed. */
export function changesIn({ action, details }: Pick<HistoryEntry, 'action' | 'details'>): Change[] {
  const { old_value, new_value, changes } = details as Partial<Change> & {
    changes?: Record<string, Omit<Change, 'field'>>;
  };
  const listed = Object.entries(changes ?? {}).map(([field, values]) => ({ field, ...values }));
  const field = { status_changed: 'status', assigned: 'assigned_to' }[action as string];
  return field ? [{ field, old_value, new_value }, ...listed] : listed;
}

function outcomeOf(event: AnyEvent): Record<string, unknown> {
  const { execution_id, exit_code, error, reason } = event.data as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries({ execution_id, exit_code, error, reason }).filter(([, value]) => value != null),
  );
}

/** Entries that are stored together at most. */
const mostAtOnce = 200;
/** How often entries are stored, unless there are many. What an event tells waits for its entry meanwhile. */
const pace = { everyMs: 100, burst: 8 };

/** Stores the entries of events, of those that come at the same time together; harmless for those that are there already. */
export class HistoryRecorder {
  readonly #batches: Batches<HistoryEntry, undefined>;

  constructor(history: HistoryModel) {
    this.#batches = new Batches((entries) => insertAll(history, entries), { most: mostAtOnce, pace });
  }

  /** Resolves when the event's entry is stored, if it makes one. */
  async record(event: AnyEvent): Promise<void> {
    const entry = entryOf(event);
    if (entry) await this.#batches.add(entry);
  }
}

async function insertAll(history: HistoryModel, entries: HistoryEntry[]): Promise<(undefined | Error)[]> {
  const failures = await insertEach(history.collection, entries);
  return failures.map((error) => (isDuplicateKey(error) ? undefined : error));
}

/** The latest entries of a task, oldest first: those stored, and those that still wait in the task's outbox. */
export async function historyOf({ history }: Context, task: Task, limit: number): Promise<HistoryEntry[]> {
  const stored = await history.find({ task_id: task._id }).sort({ timestamp: -1, _id: -1 }).limit(limit).lean();
  const known = new Set(stored.map(({ _id }) => _id));
  const waiting = task.outbox.flatMap((event) => entryOf(event) ?? []).filter(({ _id }) => !known.has(_id));
  const inOrder = (a: HistoryEntry, b: HistoryEntry) =>
    a.timestamp.getTime() - b.timestamp.getTime() || (a._id < b._id ? -1 : 1);
  return [...stored, ...waiting].sort(inOrder).slice(-limit);
}
