import type { AnyEvent, EventType } from './events.ts';

/** Routing keys of events without a project, and of commands without a task, carry this in its place. */
const noProject = '_';
/** Routing keys of notifications for everybody carry this in place of the user. */
const noUser = '_';

/**
 * Routing key of an event: its type, then its project, then, for output, the command, and for a notification the user, `_`
 * for everybody. So a consumer binds just what it wants: `task.#`, `task.completed.*`, `*.*.<project>`,
 * `command.output.<project>.*`, `notification.created._.<user>`.
 */
export function routingKey(event: Pick<AnyEvent, 'type' | 'project_id' | 'data'>): string {
  const key = `${event.type}.${event.project_id ?? noProject}`;
  if ('command_id' in event.data) return `${key}.${event.data.command_id}`;
  return 'notification_id' in event.data ? `${key}.${event.data.user_id ?? noUser}` : key;
}

/** Pattern of routing keys for events of one type, of one project or of all. */
export function eventPattern(type: EventType | 'task' | 'project', projectId?: string | null): string {
  if (projectId === undefined) return `${type}.#`;
  const project = projectId ?? noProject;
  return type.includes('.') ? `${type}.${project}.#` : `${type}.*.${project}.#`;
}
