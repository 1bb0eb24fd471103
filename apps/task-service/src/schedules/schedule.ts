import type { NewTaskSchedule, TaskSchedule } from '@claude-cli/proto/platform/v1/tasks';
import type { Priority } from '@claude-cli/shared/amqp/topology';
import { invalidField } from '@claude-cli/shared/errors';
import { traced } from '@claude-cli/shared/telemetry/tracing';
import { Cron } from 'croner';

/** A run whose time has come and that is being queued. */
export interface PendingRun {
  /** Chosen before it is queued, so that queueing it twice makes one. */
  execution_id: string;
  /** The time of the schedule. */
  due_at: Date;
  /** When a replica took it on. */
  claimed_at: Date;
}

/** When a task is executed by itself. */
export interface StoredSchedule {
  cron: string;
  timezone: string;
  priority: Priority;
  /** User in whose name it is executed. */
  set_by: string;
  /** Null when no time is left. */
  next_run_at: Date | null;
  pending?: PendingRun;
  missed_at: Date | null;
  missed_reason: string | null;
  /** Where in a trace it was set; absent where none is recorded. */
  traceparent?: string;
}

/** What a schedule is asked to be, as histories tell it. */
export type ScheduleTerms = Pick<StoredSchedule, 'cron' | 'timezone' | 'priority' | 'set_by'>;

/** Least time between two runs, in milliseconds. */
const leastGapMs = 10_000;

/**
 * The schedule that is asked for.
 * @throws PlatformError VALIDATION_ERROR for fields that say no time, never come, or come too often
 */
export function newSchedule(given: NewTaskSchedule, set_by: string, now = new Date()): StoredSchedule {
  const cron = given.cron.trim().split(/\s+/).join(' ');
  const timezone = given.timezone ?? 'UTC';
  requireTimezone(timezone);
  const next_run_at = read(cron, timezone).nextRun(now);
  if (!next_run_at) throw invalidCron('such a time never comes');
  requireGaps(cron);
  const terms = { cron, timezone, priority: given.priority ?? 'normal', set_by };
  return { ...terms, next_run_at, missed_at: null, missed_reason: null, ...traced() };
}

/** A schedule that was valid once, from now on. */
export function scheduleOf({ cron, timezone, priority, set_by }: ScheduleTerms, now = new Date()): StoredSchedule {
  const terms = { cron, timezone, priority, set_by };
  return { ...terms, next_run_at: nextRun(terms, now), missed_at: null, missed_reason: null };
}

/** The first time after a moment; null when none is left. */
export function nextRun({ cron, timezone }: Pick<ScheduleTerms, 'cron' | 'timezone'>, after: Date): Date | null {
  return read(cron, timezone).nextRun(after);
}

/** What is told of a schedule in histories; null for none. */
export function termsOf(schedule: StoredSchedule | null | undefined): ScheduleTerms | null {
  if (!schedule) return null;
  const { cron, timezone, priority, set_by } = schedule;
  return { cron, timezone, priority, set_by };
}

/** Whether two schedules ask for the same. */
export function isSame(one: StoredSchedule | null | undefined, other: StoredSchedule | null | undefined): boolean {
  return JSON.stringify(termsOf(one)) === JSON.stringify(termsOf(other));
}

/** A schedule as the contract shows it. */
export function toProto(schedule: StoredSchedule): TaskSchedule {
  const { cron, timezone, priority, set_by, next_run_at, missed_at, missed_reason } = schedule;
  return {
    cron,
    timezone,
    priority,
    set_by,
    next_run_at: next_run_at?.toISOString(),
    missed_at: missed_at?.toISOString(),
    missed_reason: missed_reason ?? undefined,
  };
}

function read(cron: string, timezone: string): Cron {
  // The library reads dates and nicknames, too.
  const fields = cron.split(' ').length;
  if (fields !== 5 && fields !== 6) throw invalidCron('must have five or six fields');
  try {
    return new Cron(cron, { timezone, mode: '5-or-6-parts', fixedTimeRule: 'no-wildcard' });
  } catch (error) {
    throw invalidCron(error instanceof Error ? error.message.replace(/^CronPattern: /, '') : 'cannot be read');
  }
}

/** Runs of a minute and of the next one: only the seconds can bring them close to each other. */
function requireGaps(cron: string): void {
  const [seconds = '', ...others] = cron.split(' ');
  if (others.length < 5) return;
  const runs = read(`${seconds} * * * * *`, 'UTC').nextRuns(60_000 / leastGapMs + 1, new Date(0));
  const isClose = runs.some(
    (run, index) => index > 0 && run.getTime() - (runs[index - 1]?.getTime() ?? 0) < leastGapMs,
  );
  if (isClose)
    throw invalidCron(`the seconds must be at least ${leastGapMs / 1000} apart, also over the end of a minute`);
}

function requireTimezone(timezone: string): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone });
  } catch {
    throw invalidField('schedule.timezone', 'must be the name of a time zone (IANA)');
  }
}

function invalidCron(issue: string) {
  return invalidField('schedule.cron', issue);
}
