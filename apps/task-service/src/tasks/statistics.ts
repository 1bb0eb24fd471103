import type { ProjectDetailStatistics } from '@claude-cli/proto/platform/v1/projects';
import type {
  GetProjectStatisticsRequest,
  GetProjectStatisticsResponse,
  GetUserTaskStatisticsRequest,
  Task_Status,
  UserTaskStatistics,
} from '@claude-cli/proto/platform/v1/tasks';
import { formatDuration } from '@claude-cli/shared/duration';
import { Recent } from '@claude-cli/shared/recent';
import { exactUpTo, rememberedCounts } from '@claude-cli/shared/total';
import type { Context } from '../context.ts';
import { durationIndex, type TaskModel } from './task.ts';

interface Counted {
  _id: { project_id: string; status: Task_Status; deleted: boolean };
  count: number;
  average_duration_ms: number | null;
}

const large = new WeakMap<TaskModel, Recent<ProjectDetailStatistics>>();

/**
 * Counts of tasks by project. Those of a project with more than 1,000 tasks are made once in 5 seconds and can be 10
 * seconds old, except for that of running tasks: counting takes the longer the more there are, and a list of projects
 * asks for 100 of them at once.
 */
export async function getProjectStatistics(
  { tasks }: Context,
  { project_ids }: GetProjectStatisticsRequest,
): Promise<GetProjectStatisticsResponse> {
  const known = large.get(tasks) ?? new Recent<ProjectDetailStatistics>(rememberedCounts);
  large.set(tasks, known);
  const remembered = project_ids.filter((id) => known.has(id));
  const others = project_ids.filter((id) => !known.has(id));
  const from = performance.now();
  const [counted, recent, running] = await Promise.all([
    count(tasks, others),
    Promise.all(remembered.map((id) => known.get(id, async () => (await count(tasks, [id])).get(id) ?? summarize([])))),
    countRunning(tasks, remembered),
  ]);
  const tookMs = performance.now() - from;
  for (const [id, counts] of counted) if (counts.total_tasks > exactUpTo) known.set(id, counts, tookMs);
  recent.forEach((counts, i) => {
    const id = remembered[i] ?? '';
    counted.set(id, { ...counts, running_tasks: running.get(id) ?? 0 });
    if (counts.total_tasks <= exactUpTo) known.delete(id);
  });
  return { statistics: Object.fromEntries(counted) };
}

/** Few tasks run at once, and whether any does decides what may be done with a project. */
async function countRunning(tasks: TaskModel, project_ids: string[]): Promise<Map<string, number>> {
  if (project_ids.length === 0) return new Map();
  const running = await tasks.aggregate<{ _id: string; count: number }>([
    { $match: { project_id: { $in: project_ids }, deleted_at: null, status: 'running' } },
    { $group: { _id: '$project_id', count: { $sum: 1 } } },
  ]);
  return new Map(running.map(({ _id, count }) => [_id, count]));
}

async function count(tasks: TaskModel, project_ids: string[]): Promise<Map<string, ProjectDetailStatistics>> {
  if (project_ids.length === 0) return new Map();
  // An index holds all that is asked for, as long as no condition is on a null: MongoDB reads the document for that. So the
  // deleted ones are told apart as a group of their own.
  const counted = await tasks
    .aggregate<Counted>([
      { $match: { project_id: { $in: project_ids } } },
      {
        $group: {
          _id: { project_id: '$project_id', status: '$status', deleted: { $gt: ['$deleted_at', null] } },
          count: { $sum: 1 },
          average_duration_ms: { $avg: '$actual_duration_ms' },
        },
      },
    ])
    .hint(durationIndex);
  const kept = Map.groupBy(
    counted.filter(({ _id }) => !_id.deleted),
    ({ _id }) => _id.project_id,
  );
  return new Map(project_ids.map((id) => [id, summarize(kept.get(id) ?? [])]));
}

function summarize(rows: Counted[]): ProjectDetailStatistics {
  const countOf = (status: Task_Status) => rows.find((row) => row._id.status === status)?.count ?? 0;
  const total_tasks = rows.reduce((sum, row) => sum + row.count, 0);
  const completed = rows.find((row) => row._id.status === 'completed');
  const average = completed?.average_duration_ms;
  return {
    total_tasks,
    completed_tasks: countOf('completed'),
    pending_tasks: countOf('pending'),
    running_tasks: countOf('running'),
    failed_tasks: countOf('failed'),
    completion_rate: total_tasks === 0 ? 0 : Math.round((countOf('completed') / total_tasks) * 1000) / 1000,
    average_task_duration: average == null ? undefined : formatDuration(average),
  };
}

/** What a user has done. */
export async function getUserTaskStatistics(
  ctx: Context,
  { user_id }: GetUserTaskStatisticsRequest,
): Promise<UserTaskStatistics> {
  const done = { status: 'completed', deleted_at: null } as const;
  const [tasks_created, assigned, own] = await Promise.all([
    ctx.tasks.countDocuments({ created_by: user_id, deleted_at: null }),
    ctx.tasks.countDocuments({ assigned_to: user_id, ...done }),
    ctx.tasks.countDocuments({ created_by: user_id, assigned_to: null, ...done }),
  ]);
  return { tasks_created, tasks_completed: assigned + own };
}
