import { formatDuration } from '@claude-cli/shared/duration';
import { invalidField } from '@claude-cli/shared/errors';
import { type AnyEvent, type Change, newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import { changesOf, type Decision, guardedUpdate } from '@claude-cli/shared/guarded-update';
import type { Context } from '../context.ts';
import { claimBlockers, dependenciesInFlux, type HeldClaim } from '../dependencies/claim-blockers.ts';
import { blockersAmong, requireDependedTasks } from '../dependencies/wanted-dependencies.ts';
import { requireScheduling } from '../schedules/require-scheduling.ts';
import { type StoredSchedule, termsOf } from '../schedules/schedule.ts';
import { findTaskToChange } from './find-task.ts';
import { searchableOf } from './searchable.ts';
import { eventOfStatus } from './status-event.ts';
import {
  factsOf,
  maxTags,
  requireTransition,
  type Task,
  taskAlreadyRunning,
  taskNotFound,
  withStatus,
} from './task.ts';

/** Fields that callers may change. */
export type EditableFields = Pick<
  Task,
  | 'title'
  | 'description'
  | 'status'
  | 'priority'
  | 'progress_percentage'
  | 'estimated_duration_ms'
  | 'assigned_to'
  | 'tags'
  | 'metadata'
  | 'command'
  | 'dependencies'
  | 'schedule'
>;

/** A task after a change. */
export interface ChangedTask {
  task: Task;
  /** What differs; fields that only follow from others are left out. */
  changes: Change[];
}

/** Fields that follow from others: a history names only what was changed. */
const derived = new Set<string>([
  'terms',
  'term_texts',
  'title_key',
  'started_at',
  'completed_at',
  'actual_duration_ms',
  'claimed_dependencies',
] satisfies (keyof Task)[]);

/**
 * Change a task as one change with one event: the only way in which callers change tasks, alone or many at once.
 * @param want what fields are to be, given the task as it is; asked again when others change it meanwhile
 * @throws PlatformError TASK_NOT_FOUND, PROJECT_ACCESS_DENIED, PROJECT_ARCHIVED, TASK_ALREADY_RUNNING, VALIDATION_*,
 *   AUTH_INSUFFICIENT_PERMISSIONS and PROJECT_LIMIT_EXCEEDED for a schedule, RESOURCE_CONFLICT for a status that does not follow, or when others keep changing the task
 */
export async function changeTask(
  ctx: Context,
  task_id: string,
  call: Call,
  want: (task: Task) => Partial<EditableFields>,
): Promise<ChangedTask> {
  const { task: before } = await findTaskToChange(ctx, task_id, call);
  const wanted = want(before);
  const [idle] = await Promise.all([
    wanted.status === undefined || isIdle(ctx, task_id),
    requireAssignee(ctx, before, wanted, call),
    wanted.dependencies && requireDependedTasks(ctx, before, wanted.dependencies),
    wanted.schedule && requireScheduling(ctx, before, call),
  ]);
  const blockers = blockersAmong(wanted.dependencies ?? []);
  await using claim = blockers.length > 0 ? await claimBlockers(ctx, task_id, blockers) : undefined;

  let changes: Change[] = [];
  const { document, changed } = await guardedUpdate(
    ctx.tasks,
    task_id,
    () => taskNotFound(task_id),
    (task): Decision<Task, AnyEvent> | undefined => {
      const fields = want(task);
      if (fields.status !== undefined && fields.status !== task.status && !idle) throw taskAlreadyRunning(task_id);
      const set = { ...withConsequences(task, fields), ...withClaim(task, fields, claim) };
      changes = changesOf(task, set).flatMap(contractChange);
      if (changes.length === 0) return undefined;
      const after = { ...task, ...set, updated_at: new Date(), version: task.version + 1 };
      return { set: { ...set, updated_at: after.updated_at }, events: [eventOf(task, after, changes, call)] };
    },
  );
  if (changed) void ctx.taskOutbox.flush(document);
  return { task: document, changes };
}

async function isIdle(ctx: Context, task_id: string): Promise<boolean> {
  return (await ctx.executions.exists({ task_id, active: true })) === null;
}

async function requireAssignee(ctx: Context, task: Task, { assigned_to }: Partial<EditableFields>, call: Call) {
  if (assigned_to && assigned_to !== task.assigned_to) await ctx.knownUsers.require(assigned_to, 'assigned_to', call);
}

/** The fields with everything that follows from them. */
function withConsequences(task: Task, { status, ...fields }: Partial<EditableFields>): Partial<Task> {
  const set: Partial<Task> = {};
  if (status !== undefined) {
    requireTransition(task.status, status);
    Object.assign(set, withStatus(task, status));
  }
  Object.assign(set, fields);
  if (fields.tags && fields.tags.length > maxTags) {
    throw invalidField('tags', `must be at most ${maxTags}`, 'VALIDATION_VALUE_TOO_LONG');
  }
  const isFoundOtherwise = fields.title !== undefined || fields.description !== undefined || fields.tags !== undefined;
  if (isFoundOtherwise) Object.assign(set, searchableOf({ ...task, ...fields }));
  return set;
}

/** A claim becomes the dependencies. */
function withClaim(task: Task, fields: Partial<EditableFields>, claim: HeldClaim | undefined): Partial<Task> {
  const blockers = blockersAmong(fields.dependencies ?? []);
  if (blockers.length === 0) return {};
  const isHeld = claim !== undefined && task.claimed_dependencies?.token === claim.token;
  if (!isHeld || blockers.some((id) => !claim.task_ids.has(id))) throw dependenciesInFlux(task._id);
  return { claimed_dependencies: null };
}

/** A change under the contract's name of the field and in its form; none for what is not to be told. */
function contractChange(change: Change): Change[] {
  if (derived.has(change.field)) return [];
  const { field, old_value, new_value } = change;
  if (field === 'schedule') {
    const terms = (schedule: unknown) => termsOf(schedule as StoredSchedule | null);
    return [{ field, old_value: terms(old_value), new_value: terms(new_value) }];
  }
  if (field !== 'estimated_duration_ms') return [change];
  const shown = (ms: unknown) => (typeof ms === 'number' ? formatDuration(ms) : null);
  return [{ field: 'estimated_duration', old_value: shown(old_value), new_value: shown(new_value) }];
}

function eventOf(before: Task, after: Task, changes: Change[], { caller }: Call): AnyEvent {
  const { user_id: actor, session_id } = caller;
  if (after.status !== before.status) return eventOfStatus(after, changes, actor, undefined, session_id);
  const about = { actor, project_id: after.project_id, version: after.version, session_id };
  return newEvent('task.updated', about, factsOf(after, changes));
}
