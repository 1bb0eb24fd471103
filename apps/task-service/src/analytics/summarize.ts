import type {
  AnalyticsSummary,
  PerformanceMetrics,
  TeamMemberPerformance,
} from '@claude-cli/proto/platform/v1/analytics';
import { formatDuration } from '@claude-cli/shared/duration';
import type { CreatedFigures, EndedFigures } from './figures.ts';

/** People that an answer shows. */
const shownPeople = 100;

/** Figures of any number of people and statuses, added up. */
type Totals = Omit<EndedFigures, '_id'>;

/** What the figures of a time say, but for the names of the people and the median. */
export interface Summarized {
  summary: AnalyticsSummary;
  performance: Omit<PerformanceMetrics, 'median_task_duration'>;
  team: Omit<TeamMemberPerformance, 'user_name'>[];
  /** Completed tasks with a duration. */
  timed: number;
}

/** What docs/analytics.md defines, made of the figures of a time. */
export function summarize(created: CreatedFigures[], ended: EndedFigures[]): Summarized {
  const completed = totalOf(ended.filter(isCompleted));
  const failed = totalOf(ended.filter(({ _id }) => _id.status === 'failed'));
  const total_tasks = tasksOf(created, ended);
  const completionRate = share(completed.count, total_tasks);
  const onTimeRate = share(completed.on_time, completed.estimated);
  const successRate = share(completed.count, completed.count + failed.count);
  return {
    summary: {
      total_tasks,
      completed_tasks: completed.count,
      average_completion_time: mean(completed.age_ms, completed.count),
      productivity_score: rounded(meanOfKnown([completionRate, onTimeRate, successRate])),
    },
    performance: {
      average_task_duration: mean(completed.duration_ms, completed.timed),
      completion_rate: rounded(completionRate ?? 0),
      on_time_completion_rate: onTimeRate === undefined ? undefined : rounded(onTimeRate),
    },
    team: teamOf(created, ended),
    timed: completed.timed,
  };
}

function teamOf(created: CreatedFigures[], ended: EndedFigures[]): Summarized['team'] {
  const createdBy = new Map(created.map((figures) => [figures._id, [figures]]));
  const endedBy = Map.groupBy(ended, ({ _id }) => _id.person);
  const people = [...new Set([...createdBy.keys(), ...endedBy.keys()])].map((user_id) => {
    const own = endedBy.get(user_id) ?? [];
    const completed = totalOf(own.filter(isCompleted));
    const tasks = tasksOf(createdBy.get(user_id) ?? [], own);
    const shown = {
      user_id,
      tasks_completed: completed.count,
      average_duration: mean(completed.duration_ms, completed.timed),
      completion_rate: rounded(share(completed.count, tasks) ?? 0),
    };
    return { tasks, shown };
  });
  return people
    .sort(
      (a, b) =>
        b.shown.tasks_completed - a.shown.tasks_completed ||
        b.tasks - a.tasks ||
        (a.shown.user_id < b.shown.user_id ? -1 : 1),
    )
    .slice(0, shownPeople)
    .map(({ shown }) => shown);
}

const isCompleted = ({ _id }: EndedFigures) => _id.status === 'completed';

/** Tasks that were created or ended in the time, those of which both is true once. */
function tasksOf(created: CreatedFigures[], ended: EndedFigures[]): number {
  const { count, also_created } = totalOf(ended);
  return created.reduce((sum, figures) => sum + figures.count, 0) + count - also_created;
}

function totalOf(rows: EndedFigures[]): Totals {
  const sumOf = (field: keyof Totals) => rows.reduce((sum, row) => sum + row[field], 0);
  return {
    count: sumOf('count'),
    also_created: sumOf('also_created'),
    age_ms: sumOf('age_ms'),
    timed: sumOf('timed'),
    duration_ms: sumOf('duration_ms'),
    estimated: sumOf('estimated'),
    on_time: sumOf('on_time'),
  };
}

function share(part: number, whole: number): number | undefined {
  return whole === 0 ? undefined : part / whole;
}

function meanOfKnown(rates: (number | undefined)[]): number {
  const known = rates.filter((rate) => rate !== undefined);
  return known.length === 0 ? 0 : known.reduce((sum, rate) => sum + rate, 0) / known.length;
}

function mean(sumMs: number, count: number): string | undefined {
  return count === 0 ? undefined : formatDuration(sumMs / count);
}

function rounded(rate: number): number {
  return Math.round(rate * 1000) / 1000;
}
