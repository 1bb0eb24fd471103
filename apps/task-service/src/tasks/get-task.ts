import type { Dependency, GetTaskRequest, TaskChange, TaskDetail } from '@claude-cli/proto/platform/v1/tasks';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { changesIn, type HistoryEntry, historyOf } from '../history/history.ts';
import { findTask } from './find-task.ts';
import { type Task, toProto } from './task.ts';

const shownHistory = 50;

/** One task with its dependencies and its latest history. */
export async function getTask(ctx: Context, { task_id }: GetTaskRequest, call: Call): Promise<TaskDetail> {
  const task = await findTask(ctx, task_id, call);
  const [dependencies, history] = await Promise.all([dependenciesOf(ctx, task), historyOf(ctx, task, shownHistory)]);
  return {
    ...toProto(task),
    dependencies,
    history: history.map(taskChange),
    execution_id: task.latest_run?.execution_id,
  };
}

function taskChange(entry: HistoryEntry): TaskChange {
  const { timestamp, action, user_id } = entry;
  const [first, ...more] = changesIn(entry);
  const shown = action === 'status_changed' || more.length === 0 ? first : undefined;
  return {
    timestamp: timestamp.toISOString(),
    action,
    old_value: shown?.old_value,
    new_value: shown?.new_value,
    user_id,
  };
}

async function dependenciesOf(ctx: Context, task: Task): Promise<Dependency[]> {
  if (task.dependencies.length === 0) return [];
  const ids = task.dependencies.map(({ depends_on_task_id }) => depends_on_task_id);
  const others = await ctx.tasks.find({ _id: { $in: ids }, deleted_at: null }, { title: 1, status: 1 }).lean();
  const byId = new Map(others.map((other) => [other._id, other]));
  return task.dependencies.map((dependency) => {
    const other = byId.get(dependency.depends_on_task_id);
    return { ...dependency, task: other && { title: other.title, status: other.status } };
  });
}
