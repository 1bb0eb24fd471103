import type { Task as TaskMessage, UpdateTaskRequest } from '@claude-cli/proto/platform/v1/tasks';
import { parseDuration } from '@claude-cli/shared/duration';
import { invalidField } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { wantedDependencies } from '../dependencies/wanted-dependencies.ts';
import { isSame, newSchedule } from '../schedules/schedule.ts';
import { changeTask, type EditableFields } from './change-task.ts';
import { type Task, toProto } from './task.ts';

/** What a field becomes when it is cleared; other fields cannot be cleared. */
const cleared: Readonly<Record<string, Partial<EditableFields>>> = {
  description: { description: '' },
  estimated_duration: { estimated_duration_ms: null },
  assigned_to: { assigned_to: null },
  tags: { tags: [] },
  metadata: { metadata: {} },
  command: { command: null },
  dependencies: { dependencies: [] },
  schedule: { schedule: null },
};

/** Change the fields given. */
export async function updateTask(ctx: Context, request: UpdateTaskRequest, call: Call): Promise<TaskMessage> {
  const { task } = await changeTask(ctx, request.task_id, call, (present) => fieldsOf(request, present, call));
  return toProto(task);
}

function fieldsOf(request: UpdateTaskRequest, present: Task, { caller }: Call): Partial<EditableFields> {
  const fields: Partial<EditableFields> = Object.assign({}, ...request.cleared_fields.map(clear));
  const { title, description, status, priority, progress_percentage, assigned_to, metadata, command } = request;
  const given = { title, description, status, priority, progress_percentage, assigned_to, metadata, command };
  Object.assign(fields, Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)));
  if (request.estimated_duration !== undefined)
    fields.estimated_duration_ms = parseDuration(request.estimated_duration);
  if (request.tags.length > 0) fields.tags = [...new Set(request.tags)];
  if (request.dependencies.length > 0) {
    fields.dependencies = wantedDependencies(request.dependencies, present.dependencies);
  }
  if (request.schedule) {
    const schedule = newSchedule(request.schedule, caller.user_id);
    // What is under way of an equal one goes on.
    if (!isSame(schedule, present.schedule)) fields.schedule = schedule;
  }
  return fields;
}

function clear(field: string): Partial<EditableFields> {
  const values = Object.hasOwn(cleared, field) ? cleared[field] : undefined;
  if (!values) throw invalidField(field, 'cannot be null');
  return values;
}
