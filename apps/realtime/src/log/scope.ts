import type { AnyEvent } from '@claude-cli/shared/events';

/**
 * What numbers are counted for: everything that happens in a project, what concerns one user alone, and what concerns
 * everybody. `project:<id>`, `user:<id>`, `system`.
 */
export type Scope = `project:${string}` | `user:${string}` | 'system';

/** Routing patterns of the events that are numbered and kept. Output is not: the runners keep it. */
export const loggedPatterns = ['task.#', 'project.#', 'notification.#', 'queue.#', 'system.#'] as const;

/** The scope of an event; undefined for one that nobody listens to. */
export function scopeOf({ type, project_id, data }: AnyEvent): Scope | undefined {
  if (type.startsWith('task.') || type.startsWith('project.')) {
    return project_id === null ? undefined : `project:${project_id}`;
  }
  if (type.startsWith('notification.')) {
    const userId = 'user_id' in data ? data.user_id : null;
    return userId === null ? 'system' : `user:${userId}`;
  }
  return type.startsWith('queue.') || type.startsWith('system.') ? 'system' : undefined;
}

/** Parts of events that may be large and of which no client is told. */
const untold = ['changes', 'initial_data'];

/** An event without what no client is told of it. */
export function slim<Event extends AnyEvent>(event: Event): Event {
  const data = Object.fromEntries(Object.entries(event.data).filter(([name]) => !untold.includes(name)));
  return { ...event, data };
}
