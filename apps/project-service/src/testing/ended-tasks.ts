import { type EventCatalog, newEvent } from '@claude-cli/shared/events';
import { newId } from '@claude-cli/shared/ids';
import type { TaskEnd } from '../notifications/content.ts';

type Facts = EventCatalog['task.completed'] & EventCatalog['task.failed'] & EventCatalog['task.cancelled'];

/** The end of a task as task-service tells it. @param given facts that matter to a test */
export function endOfTask(
  type: TaskEnd['type'],
  given: { [Name in keyof Facts]?: Facts[Name] | undefined } & { project_id?: string } = {},
  actor = 'somebody',
): TaskEnd {
  const { project_id = newId(), ...facts } = given;
  const data = {
    task_id: newId(),
    title: 'Build the site',
    status: type.slice('task.'.length),
    progress_percentage: 100,
    updated_at: '2026-01-01T00:00:00.000Z',
    completed_at: '2026-01-01T00:00:00.000Z',
    changes: [],
    execution_id: newId(),
    duration_ms: 1_000,
    exit_code: 0,
    error: 'exit code 1',
    timed_out: false,
    reason: null,
    ...facts,
  } as Facts;
  return newEvent(type, { actor, project_id }, data) as TaskEnd;
}
