import { type AnyEvent, type Change, newEvent } from '@claude-cli/shared/events';
import { type BriefTask, factsOf } from './task.ts';

/** What a run adds to the event of a task's new status. */
export interface RunFacts {
  execution_id: string;
  /** Who asked for it. */
  requested_by: string;
  exit_code: number | null;
  error: string | null;
  reason: string | null;
  timed_out: boolean;
}

const byHand: Omit<RunFacts, 'execution_id' | 'requested_by'> & { execution_id: null; requested_by: null } = {
  execution_id: null,
  requested_by: null,
  exit_code: null,
  error: null,
  reason: null,
  timed_out: false,
};

/**
 * The event that tells a task's new status, set by hand or by a run.
 * @param task as it is after the change
 * @param session_id session in which a caller set it by hand
 */
export function eventOfStatus(
  task: BriefTask,
  changes: Change[],
  actor: string,
  run: RunFacts | typeof byHand = byHand,
  session_id?: string,
): AnyEvent {
  const about = { actor, project_id: task.project_id, version: task.version, session_id };
  const facts = factsOf(task, changes);
  const { execution_id, requested_by, exit_code, error, reason, timed_out } = run;
  const people = { created_by: task.created_by, assigned_to: task.assigned_to, requested_by };
  switch (task.status) {
    case 'running':
      return execution_id === null
        ? newEvent('task.updated', about, facts)
        : newEvent('task.started', about, { ...facts, execution_id });
    case 'completed': {
      const completed_at = (task.completed_at ?? task.updated_at).toISOString();
      const duration_ms = task.actual_duration_ms ?? 0;
      return newEvent('task.completed', about, {
        ...facts,
        people,
        execution_id,
        completed_at,
        duration_ms,
        exit_code: exit_code ?? 0,
      });
    }
    case 'failed':
      return newEvent('task.failed', about, {
        ...facts,
        people,
        execution_id,
        exit_code,
        error: error ?? 'set by hand',
        timed_out,
      });
    case 'cancelled':
      return newEvent('task.cancelled', about, { ...facts, people, execution_id, reason });
    case 'pending':
      return newEvent('task.updated', about, facts);
  }
}
