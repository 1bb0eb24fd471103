import type { ProjectDetailStatistics } from '@claude-cli/proto/platform/v1/projects';
import {
  type GetProjectStatisticsRequest,
  type GetProjectStatisticsResponse,
  type GetUserTaskStatisticsRequest,
  Task_Status,
  type UserTaskStatistics,
} from '@claude-cli/proto/platform/v1/tasks';
import { formatDuration } from '@claude-cli/shared/duration';
import { inParallel } from '@claude-cli/shared/in-parallel';
import { Recent } from '@claude-cli/shared/recent';
import { exactUpTo, rememberedCounts } from '@claude-cli/shared/total';
import type { Context } from '../context.ts';
import { agentUse } from '../limits/agent-use.ts';
import { endedIndex, type TaskModel } from './task.ts';

/** How many tasks a project has of each status. */
type Counts = Partial<Record<Task_Status, number>>;

/** Tasks of each project, and in all, up to which they are counted by one query, which reads each; others by indexes alone. */
const groupedUpTo = { each: 100, all: 5_000 } as const;
/** Completed tasks, the latest, of which the mean duration is told. */
const averaged = 1_000;
/** Tasks up to which a mean is made each time; one of more, which reads all of them, is remembered like counts. */
const averagedAnewUpTo = 50;
/** Counts that are asked for at once. */
const width = 10;

const large = new WeakMap<TaskModel, Recent<Counts>>();
const means = new WeakMap<TaskModel, Recent<Mean>>();

/**
 * Counts of tasks by project. Those of a project with more than 1,000 tasks are made once in 5 seconds and can be 10
 * seconds old, except for that of running tasks: counting takes the longer the more there are, and a list of projects
 * asks for 100 of them at once. A mean duration and the use of the agent are told when a single project is asked for; the
 * mean of more than 50 tasks is remembered for as long.
 */
export async function getProjectStatistics(
  ctx: Context,
  { project_ids }: GetProjectStatisticsRequest,
): Promise<GetProjectStatisticsResponse> {
  const { tasks } = ctx;
  const known = large.get(tasks) ?? new Recent<Counts>(rememberedCounts);
  large.set(tasks, known);
  const remembered = project_ids.filter((id) => known.has(id));
  const others = project_ids.filter((id) => !known.has(id));
  const from = performance.now();
  const single = project_ids.length === 1 ? project_ids[0] : undefined;
  const [counted, recalled, details] = await Promise.all([
    count(tasks, others).then((counts) => ({ counts, tookMs: performance.now() - from })),
    inParallel(remembered, width, (id) => recall(tasks, known, id)),
    single === undefined ? {} : detailsOf(ctx, single),
  ]);
  for (const [id, counts] of counted.counts) if (sum(counts) > exactUpTo) known.set(id, counts, counted.tookMs);
  const all = [...counted.counts, ...remembered.map((id, i) => [id, recalled[i] ?? {}] as const)];
  return { statistics: Object.fromEntries(all.map(([id, counts]) => [id, { ...toProto(counts), ...details }])) };
}

/** Whether any task runs decides what may be done with a project, so that is never an old count. */
async function recall(tasks: TaskModel, known: Recent<Counts>, project_id: string): Promise<Counts> {
  const [counts, running] = await Promise.all([
    known.get(project_id, async () => (await count(tasks, [project_id])).get(project_id) ?? {}),
    tasks.countDocuments({ project_id, deleted_at: null, status: 'running' }),
  ]);
  if (sum(counts) <= exactUpTo) known.delete(project_id);
  return { ...counts, running };
}

async function count(tasks: TaskModel, project_ids: string[]): Promise<Map<string, Counts>> {
  const counted = new Map<string, Counts>(project_ids.map((id) => [id, {}]));
  if (project_ids.length === 0) return counted;
  const present = { project_id: { $in: project_ids }, deleted_at: null };
  const most = Math.min(groupedUpTo.each * project_ids.length, groupedUpTo.all);
  const few = (await tasks.countDocuments(present, { limit: most + 1 })) <= most;
  const pairs = few
    ? await groups(tasks, project_ids)
    : project_ids.flatMap((project_id) => Object.values(Task_Status).map((status) => ({ project_id, status })));
  await inParallel(pairs, width, async ({ project_id, status, count }: Group) => {
    const counts = counted.get(project_id);
    if (counts) counts[status] = count ?? (await tasks.countDocuments({ project_id, deleted_at: null, status }));
  });
  return counted;
}

interface Group {
  project_id: string;
  status: Task_Status;
  count?: number;
}

async function groups(tasks: TaskModel, project_ids: string[]): Promise<Group[]> {
  const found = await tasks.aggregate<{ _id: Group; count: number }>([
    { $match: { project_id: { $in: project_ids }, deleted_at: null } },
    { $group: { _id: { project_id: '$project_id', status: '$status' }, count: { $sum: 1 } } },
  ]);
  return found.map(({ _id, count }) => ({ ..._id, count }));
}

async function detailsOf(ctx: Context, project_id: string): Promise<Partial<ProjectDetailStatistics>> {
  const [{ duration_ms }, use] = await Promise.all([recentMean(ctx.tasks, project_id), agentUse(ctx, project_id)]);
  return { average_task_duration: duration_ms === null ? undefined : formatDuration(duration_ms), ...use };
}

/** The mean duration of tasks, and how many they are. */
interface Mean {
  duration_ms: number | null;
  of: number;
}

async function recentMean(tasks: TaskModel, project_id: string): Promise<Mean> {
  const known = means.get(tasks) ?? new Recent<Mean>(rememberedCounts);
  means.set(tasks, known);
  const isKnown = known.has(project_id);
  const from = performance.now();
  const make = () => meanDuration(tasks, project_id);
  const mean = await (isKnown ? known.get(project_id, make) : make());
  if (mean.of <= averagedAnewUpTo) known.delete(project_id);
  else if (!isKnown) known.set(project_id, mean, performance.now() - from);
  return mean;
}

async function meanDuration(tasks: TaskModel, project_id: string): Promise<Mean> {
  const [latest] = await tasks
    .aggregate<Mean>([
      { $match: { project_id, deleted_at: null, status: 'completed' } },
      { $sort: { completed_at: -1 } },
      { $limit: averaged },
      { $group: { _id: null, duration_ms: { $avg: '$actual_duration_ms' }, of: { $sum: 1 } } },
    ])
    .hint(endedIndex);
  return latest ?? { duration_ms: null, of: 0 };
}

const sum = (counts: Counts) => Object.values(counts).reduce((total, count) => total + count, 0);

function toProto(counts: Counts): ProjectDetailStatistics {
  const total_tasks = sum(counts);
  const completed_tasks = counts.completed ?? 0;
  return {
    total_tasks,
    completed_tasks,
    pending_tasks: counts.pending ?? 0,
    running_tasks: counts.running ?? 0,
    failed_tasks: counts.failed ?? 0,
    completion_rate: total_tasks === 0 ? 0 : Math.round((completed_tasks / total_tasks) * 1000) / 1000,
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
