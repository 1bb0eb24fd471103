import type { GetProjectAnalyticsRequest, ProjectAnalytics } from '@claude-cli/proto/platform/v1/analytics';
import { formatDuration } from '@claude-cli/shared/duration';
import { invalidField } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { userNames } from '../history/user-names.ts';
import { type Day, lastDays, placeAmong } from './days.ts';
import { countByQuarter, createdByPerson, endedByPerson, medianDuration, type QuarterCount } from './figures.ts';
import { summarize } from './summarize.ts';

/** Days of each period, today included. */
const daysOf: Readonly<Record<string, number>> = { '7d': 7, '30d': 30, '90d': 90, '1y': 365 };

/** How a project did over a time that ends now. */
export async function getProjectAnalytics(
  ctx: Context,
  { project_id, period = '30d', timezone: asked }: GetProjectAnalyticsRequest,
  call: Call,
): Promise<ProjectAnalytics> {
  const count = Object.hasOwn(daysOf, period) ? daysOf[period] : undefined;
  if (!count) throw invalidField('period', `must be one of ${Object.keys(daysOf).join(', ')}`);
  await ctx.access.check(project_id, call);
  const now = new Date();
  const { timezone, days } = await daysFor(ctx, count, asked, now, call);
  const span = { project_id, from: days[0]?.start ?? now, to: now };
  const [created, ended, createdPerQuarter, completedPerQuarter] = await Promise.all([
    createdByPerson(ctx, span),
    endedByPerson(ctx, span),
    countByQuarter(ctx, span, 'created_at'),
    countByQuarter(ctx, span, 'completed_at'),
  ]);
  const { summary, performance, team, timed } = summarize(created, ended);
  const [median, nameOf] = await Promise.all([
    medianDuration(ctx, span, timed),
    userNames(
      ctx,
      team.map(({ user_id }) => user_id),
      call,
    ),
  ]);
  return {
    project_id,
    period,
    timezone,
    summary,
    task_trends: {
      dates: days.map(({ date }) => date),
      created_per_day: perDay(days, createdPerQuarter),
      completed_per_day: perDay(days, completedPerQuarter),
    },
    performance_metrics: {
      ...performance,
      median_task_duration: median === undefined ? undefined : formatDuration(median),
    },
    team_performance: team.map((person) => ({ ...person, user_name: nameOf(person.user_id) })),
  };
}

/** The days of the time zone that was asked for, or else of the caller's own. */
async function daysFor(ctx: Context, count: number, asked: string | undefined, now: Date, call: Call) {
  const timezone = asked ?? (await preferredTimezone(ctx, call));
  try {
    return { timezone, days: lastDays(count, timezone, now) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    if (asked !== undefined) throw invalidField('timezone', 'must be the name of a time zone (IANA)');
    // A zone that this machine does not know is no reason to answer nothing.
    return { timezone: 'UTC', days: lastDays(count, 'UTC', now) };
  }
}

async function preferredTimezone(ctx: Context, call: Call): Promise<string> {
  const { preferences } = await ctx.users.getPreferences({ user_id: call.caller.user_id }, call);
  return typeof preferences?.timezone === 'string' ? preferences.timezone : 'UTC';
}

function perDay(days: Day[], quarters: QuarterCount[]): number[] {
  const placeOf = placeAmong(days);
  const counts = days.map(() => 0);
  for (const { _id, count } of quarters) {
    const place = placeOf(_id);
    counts[place] = (counts[place] ?? 0) + count;
  }
  return counts;
}
