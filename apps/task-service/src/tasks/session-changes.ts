import { parseDuration } from '@claude-cli/shared/duration';
import type { Change } from '@claude-cli/shared/events';
import { type ScheduleTerms, scheduleOf, termsOf } from '../schedules/schedule.ts';
import type { EditableFields } from './change-task.ts';
import type { Task } from './task.ts';

/** What a session has done to one field: the value before its first change, and that after its last one. */
export interface FieldChange {
  before: unknown;
  after: unknown;
}

/** What a session has done to one task, by field, under the contract's names. */
export type TaskChanges = Map<string, FieldChange>;

/** Add changes that came after those added before. */
export function addChanges(known: TaskChanges, changes: Change[]): void {
  for (const { field, old_value, new_value } of changes) {
    const before = known.has(field) ? known.get(field)?.before : old_value;
    known.set(field, { before, after: new_value });
  }
}

/** Fields that can be restored: how a task has them now, and how a value from the history is put into it. */
const restorable: Readonly<
  Record<string, { of: (task: Task) => unknown; put: (value: never) => Partial<EditableFields> }>
> = {
  title: { of: ({ title }) => title, put: (title: string) => ({ title }) },
  description: { of: ({ description }) => description, put: (description: string) => ({ description }) },
  status: { of: ({ status }) => status, put: (status: Task['status']) => ({ status }) },
  priority: { of: ({ priority }) => priority, put: (priority: number) => ({ priority }) },
  progress_percentage: {
    of: ({ progress_percentage }) => progress_percentage,
    put: (progress_percentage: number) => ({ progress_percentage }),
  },
  estimated_duration: {
    of: ({ estimated_duration_ms }) => estimated_duration_ms,
    put: (text: string | null) => ({ estimated_duration_ms: milliseconds(text) }),
  },
  assigned_to: { of: ({ assigned_to }) => assigned_to, put: (assigned_to: string | null) => ({ assigned_to }) },
  tags: { of: ({ tags }) => tags, put: (tags: string[]) => ({ tags }) },
  metadata: { of: ({ metadata }) => metadata, put: (metadata: Task['metadata']) => ({ metadata }) },
  command: { of: ({ command }) => command, put: (command: string | null) => ({ command }) },
  dependencies: {
    of: ({ dependencies }) => dependencies,
    put: (dependencies: Task['dependencies']) => ({ dependencies }),
  },
  schedule: {
    of: ({ schedule }) => termsOf(schedule),
    put: (terms: ScheduleTerms | null) => ({ schedule: terms && scheduleOf(terms) }),
  },
};

/** What restoring a task would do. */
export interface Restoration {
  /** Values to put back. */
  fields: Partial<EditableFields>;
  /** Names of fields that others have changed since. */
  changedByOthers: string[];
}

/** How a task is brought back to how it was before the session's changes. What others have changed since is left alone. */
export function restorationOf(task: Task, changes: TaskChanges, except: ReadonlySet<string>): Restoration {
  const restoration: Restoration = { fields: {}, changedByOthers: [] };
  for (const [field, { before, after }] of changes) {
    const rule = Object.hasOwn(restorable, field) ? restorable[field] : undefined;
    if (!rule || except.has(field) || same(before, after)) continue;
    const present = rule.of(task);
    if (same(present, stored(field, before))) continue;
    if (same(present, stored(field, after))) Object.assign(restoration.fields, rule.put(before as never));
    else restoration.changedByOthers.push(field);
  }
  return restoration;
}

function stored(field: string, value: unknown): unknown {
  return field === 'estimated_duration' ? milliseconds(value as string | null) : value;
}

function milliseconds(text: string | null): number | null {
  return text === null ? null : parseDuration(text);
}

function same(one: unknown, other: unknown): boolean {
  return JSON.stringify(one ?? null) === JSON.stringify(other ?? null);
}
