import type { ProjectDetailStatistics } from '@claude-cli/proto/platform/v1/projects';
import type {
  GetProjectStatisticsRequest,
  GetProjectStatisticsResponse,
  GetUserTaskStatisticsRequest,
  Task_Status,
  UserTaskStatistics,
} from '@claude-cli/proto/platform/v1/tasks';
import { formatDuration } from '@claude-cli/shared/duration';
import type { Context } from '../context.ts';

interface Counted {
  _id: { project_id: string; status: Task_Status };
  count: number;
  average_duration_ms: number | null;
}

/** Counts of tasks by project. */
export async function getProjectStatistics(
  ctx: Context,
  { project_ids }: GetProjectStatisticsRequest,
): Promise<GetProjectStatisticsResponse> {
  const counted = await ctx.tasks.aggregate<Counted>([
    { $match: { project_id: { $in: project_ids }, deleted_at: null } },
    {
      $group: {
        _id: { project_id: '$project_id', status: '$status' },
        count: { $sum: 1 },
        average_duration_ms: { $avg: '$actual_duration_ms' },
      },
    },
  ]);
  const statistics = project_ids.map((id) => [id, summarize(counted.filter((row) => row._id.project_id === id))]);
  return { statistics: Object.fromEntries(statistics) };
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
