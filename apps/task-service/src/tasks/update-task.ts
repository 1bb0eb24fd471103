import type { Task as TaskMessage, UpdateTaskRequest } from '@claude-cli/proto/platform/v1/tasks';
import { parseDuration } from '@claude-cli/shared/duration';
import { invalidField } from '@claude-cli/shared/errors';
import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import { changesOf, guardedUpdate } from '@claude-cli/shared/guarded-update';
import { searchTerms } from '@claude-cli/shared/search';
import type { Context } from '../context.ts';
import { findTaskToChange } from './find-task.ts';
import { eventOfStatus } from './status-event.ts';
import {
  factsOf,
  requireTransition,
  type Task,
  taskAlreadyRunning,
  taskNotFound,
  toProto,
  withStatus,
} from './task.ts';

/** Values that a field has once it is cleared; other fields cannot be cleared. */
const cleared: Partial<Task> = {
  description: '',
  estimated_duration_ms: null,
  assigned_to: null,
  tags: [],
  metadata: {},
  command: null,
};
/** Fields that follow from others: a history names only what the caller changed. */
const derived = new Set(['terms', 'started_at', 'completed_at', 'actual_duration_ms']);
const storedNames: Record<string, keyof Task> = { estimated_duration: 'estimated_duration_ms' };

/** Change the fields given. */
export async function updateTask(ctx: Context, request: UpdateTaskRequest, call: Call): Promise<TaskMessage> {
  const { task_id } = request;
  await findTaskToChange(ctx, task_id, call);
  if (request.status !== undefined && (await ctx.executions.exists({ task_id, active: true }))) {
    throw taskAlreadyRunning(task_id);
  }
  const { document, changed } = await guardedUpdate(
    ctx.tasks,
    task_id,
    () => taskNotFound(task_id),
    (task) => {
      const set = wanted(task, request);
      const changes = changesOf(task, set).filter(({ field }) => !derived.has(field));
      if (changes.length === 0) return undefined;
      const after = { ...task, ...set, updated_at: new Date(), version: task.version + 1 };
      const about = { actor: call.caller.user_id, project_id: task.project_id, version: after.version };
      const event =
        set.status === undefined
          ? newEvent('task.updated', about, factsOf(after, changes))
          : eventOfStatus(after, changes, about.actor);
      return { set: { ...set, updated_at: after.updated_at }, events: [event] };
    },
  );
  if (changed) void ctx.taskOutbox.flush(document);
  return toProto(document);
}

function wanted(task: Task, request: UpdateTaskRequest): Partial<Task> {
  const set: Partial<Task> = Object.fromEntries(request.cleared_fields.map(clear));
  if (request.title !== undefined) set.title = request.title;
  if (request.description !== undefined) set.description = request.description;
  if (request.priority !== undefined) set.priority = request.priority;
  if (request.assigned_to !== undefined) set.assigned_to = request.assigned_to;
  if (request.tags.length > 0) set.tags = [...new Set(request.tags)];
  if (request.metadata !== undefined) set.metadata = request.metadata;
  if (request.command !== undefined) set.command = request.command;
  if (request.estimated_duration !== undefined) set.estimated_duration_ms = parseDuration(request.estimated_duration);
  if (request.status !== undefined) {
    requireTransition(task.status, request.status);
    Object.assign(set, withStatus(task, request.status));
  }
  if (request.progress_percentage !== undefined) set.progress_percentage = request.progress_percentage;
  if (set.title !== undefined || set.description !== undefined) {
    set.terms = searchTerms(set.title ?? task.title, set.description ?? task.description);
  }
  return set;
}

function clear(field: string): [string, unknown] {
  const name = storedNames[field] ?? (field as keyof Task);
  if (!(name in cleared)) throw invalidField(field, 'cannot be null');
  return [name, cleared[name]];
}
