import type { CreateTaskRequest, Task as TaskMessage } from '@claude-cli/proto/platform/v1/tasks';
import { idForNew, makeOnce } from '@claude-cli/shared/creation';
import { parseDuration } from '@claude-cli/shared/duration';
import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import { defaultLimits } from '@claude-cli/shared/limits';
import type { Context } from '../context.ts';
import { requireDependedTasks, wantedDependencies } from '../dependencies/wanted-dependencies.ts';
import { withTaskRoom } from '../limits/task-room.ts';
import { requireScheduling } from '../schedules/require-scheduling.ts';
import { newSchedule } from '../schedules/schedule.ts';
import { searchableOf } from './searchable.ts';
import { factsOf, type Task, toProto } from './task.ts';

/** Create a task in a project that the caller may change. */
export async function createTask(ctx: Context, request: CreateTaskRequest, call: Call): Promise<TaskMessage> {
  const { project_id } = request;
  const access = await ctx.access.checkWrite(project_id, call);
  const find = async (_id: string) => {
    const made = await ctx.tasks.findOne({ _id, created_by: call.caller.user_id }).lean();
    return made ? toProto(made) : undefined;
  };
  return makeOnce(call, find, () => insertTask(ctx, request, call, access.resource_limits?.max_tasks));
}

async function insertTask(
  ctx: Context,
  request: CreateTaskRequest,
  call: Call,
  limit: number = defaultLimits.max_tasks,
): Promise<TaskMessage> {
  const { project_id } = request;
  const task = newTask(request, call);
  // Nothing can depend on a task that is not there yet, so its dependencies cannot close a cycle.
  await Promise.all([
    requireDependedTasks(ctx, { ...task, dependencies: [] }, task.dependencies),
    task.assigned_to && ctx.knownUsers.require(task.assigned_to, 'assigned_to', call),
    task.schedule && requireScheduling(ctx, task, call),
  ]);
  const { session_id } = call.caller;
  const about = { actor: task.created_by, project_id, version: task.version, session_id };
  task.outbox.push(newEvent('task.created', about, { ...factsOf(task, []), initial_data: initialDataOf(task) }));
  await withTaskRoom(ctx, { project_id, task_id: task._id, limit }, () => ctx.tasks.create(task));
  void ctx.taskOutbox.flush(task);
  return toProto(task);
}

/** What the history says a task was created with. */
export function initialDataOf({ title, status, priority, assigned_to }: Task): Record<string, unknown> {
  return { title, status, priority, assigned_to };
}

function newTask(request: CreateTaskRequest, call: Call): Task {
  const { user_id } = call.caller;
  const now = new Date();
  const { title, description = '', estimated_duration } = request;
  return {
    _id: idForNew(call),
    title,
    description,
    project_id: request.project_id,
    status: 'pending',
    priority: request.priority ?? 1,
    progress_percentage: 0,
    estimated_duration_ms: estimated_duration === undefined ? null : parseDuration(estimated_duration),
    actual_duration_ms: null,
    assigned_to: request.assigned_to ?? null,
    created_by: user_id,
    created_at: now,
    updated_at: now,
    started_at: null,
    completed_at: null,
    tags: [...new Set(request.tags)],
    metadata: request.metadata ?? {},
    command: request.command ?? null,
    dependencies: wantedDependencies(request.dependencies),
    claimed_dependencies: null,
    latest_run: null,
    schedule: request.schedule ? newSchedule(request.schedule, user_id, now) : null,
    ...searchableOf({ title, description, tags: request.tags }),
    version: 1,
    deleted_at: null,
    deleted_by: null,
    outbox: [],
  };
}
