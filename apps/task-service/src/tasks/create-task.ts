import type { CreateTaskRequest, Task as TaskMessage } from '@claude-cli/proto/platform/v1/tasks';
import { parseDuration } from '@claude-cli/shared/duration';
import { invalidField, PlatformError } from '@claude-cli/shared/errors';
import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import { newId } from '@claude-cli/shared/ids';
import { defaultLimits } from '@claude-cli/shared/limits';
import { searchTerms } from '@claude-cli/shared/search';
import type { Context } from '../context.ts';
import { factsOf, type StoredDependency, type Task, toProto } from './task.ts';

/** Create a task in a project that the caller may change. */
export async function createTask(ctx: Context, request: CreateTaskRequest, call: Call): Promise<TaskMessage> {
  const { project_id } = request;
  const [access, count, dependencies] = await Promise.all([
    ctx.access.checkWrite(project_id, call),
    ctx.tasks.countDocuments({ project_id, deleted_at: null }),
    resolveDependencies(ctx, request),
  ]);
  const limit = access.resource_limits?.max_tasks ?? defaultLimits.max_tasks;
  if (count >= limit) {
    throw new PlatformError('PROJECT_LIMIT_EXCEEDED', 'The project holds as many tasks as it may', {
      max_tasks: limit,
    });
  }
  const task = newTask(request, dependencies, call.caller.user_id);
  const initial_data = {
    title: task.title,
    status: task.status,
    priority: task.priority,
    assigned_to: task.assigned_to,
  };
  const about = { actor: task.created_by, project_id, version: task.version };
  task.outbox.push(newEvent('task.created', about, { ...factsOf(task, []), initial_data }));
  await ctx.tasks.create(task);
  void ctx.taskOutbox.flush(task);
  return toProto(task);
}

function newTask(request: CreateTaskRequest, dependencies: StoredDependency[], user_id: string): Task {
  const now = new Date();
  const { title, description = '', estimated_duration } = request;
  return {
    _id: newId(),
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
    dependencies,
    latest_run: null,
    terms: searchTerms(title, description),
    version: 1,
    deleted_at: null,
    deleted_by: null,
    outbox: [],
  };
}

/** A new task can only depend on tasks that are there, so it cannot close a cycle. */
async function resolveDependencies(ctx: Context, request: CreateTaskRequest): Promise<StoredDependency[]> {
  const wanted = new Map(request.dependencies.map((dependency) => [dependency.depends_on_task_id, dependency]));
  if (wanted.size === 0) return [];
  const filter = { _id: { $in: [...wanted.keys()] }, project_id: request.project_id, deleted_at: null };
  const found = new Set((await ctx.tasks.find(filter, { _id: 1 }).lean()).map(({ _id }) => _id));
  const missing = [...wanted.keys()].find((id) => !found.has(id));
  if (missing) throw invalidField('dependencies', `there is no task ${missing} in this project`);
  return [...wanted.values()].map(({ depends_on_task_id, dependency_type = 'blocks' }) => ({
    id: newId(),
    depends_on_task_id,
    dependency_type,
  }));
}
