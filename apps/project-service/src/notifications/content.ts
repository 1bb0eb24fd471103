import { formatDuration } from '@claude-cli/shared/duration';
import type { AnyEvent, NotificationAction, PlatformEvent } from '@claude-cli/shared/events';
import type { Content } from './notification.ts';

/** Longest texts, in characters: what events bring may be longer. */
const longest = { title: 200, message: 1000 };

const dismiss: NotificationAction = { label: 'Dismiss', action: 'dismiss' };
const details = (url: string): NotificationAction => ({ label: 'View Details', action: 'view_details', url });

/** Events that users are notified of. */
export type NotifyingEvent = Extract<
  AnyEvent,
  { type: TaskEnd['type'] | 'system.maintenance' | 'system.alert' | 'webhook.disabled' }
>;

/** The end of a task. */
export type TaskEnd = PlatformEvent<'task.completed'> | PlatformEvent<'task.failed'> | PlatformEvent<'task.cancelled'>;

/** What users are told of an event. */
export function contentOf(event: NotifyingEvent): Content {
  const content = textsOf(event);
  return { ...content, title: cut(content.title, longest.title), message: cut(content.message, longest.message) };
}

function textsOf(event: NotifyingEvent): Content {
  switch (event.type) {
    case 'task.completed': {
      const message = `${event.data.title} was completed in ${formatDuration(event.data.duration_ms)}`;
      return { kind: 'task_completed', level: 'success', title: 'Task completed', message, ...aboutTask(event) };
    }
    case 'task.failed': {
      const message = `${event.data.title} failed: ${event.data.error}`;
      return { kind: 'task_failed', level: 'error', title: 'Task failed', message, ...aboutTask(event) };
    }
    case 'task.cancelled': {
      const { title, reason } = event.data;
      const message = reason ? `${title} was cancelled: ${reason}` : `${title} was cancelled`;
      return { kind: 'task_cancelled', level: 'info', title: 'Task cancelled', message, ...aboutTask(event) };
    }
    case 'system.maintenance': {
      const actions = [dismiss, details('/api/system/maintenance')];
      return { kind: 'maintenance', ...maintenanceTexts(event.data), actions, project_id: null, task_id: null };
    }
    case 'system.alert': {
      const { level, title, message } = event.data;
      return { kind: 'alert', level, title, message, actions: [dismiss], project_id: null, task_id: null };
    }
    case 'webhook.disabled': {
      const { webhook_id, url, project_id, reason } = event.data;
      const message = `The webhook to ${url} was disabled: ${reason}`;
      const actions = [dismiss, details(`/api/webhooks/${webhook_id}`)];
      const texts = { kind: 'webhook_disabled', level: 'warning', title: 'Webhook disabled', message } as const;
      return { ...texts, actions, project_id, task_id: null };
    }
  }
}

function aboutTask({ project_id, data: { task_id } }: TaskEnd) {
  return { actions: [dismiss, details(`/api/tasks/${task_id}`)], project_id, task_id };
}

function maintenanceTexts({
  status,
  message,
  starts_at,
  ends_at,
}: PlatformEvent<'system.maintenance'>['data']): Pick<Content, 'level' | 'title' | 'message'> {
  const title = 'System Maintenance';
  switch (status) {
    case 'announced': {
      const end = ends_at ? ` and ends at ${ends_at}` : '';
      return { level: 'info', title, message: message ?? `A maintenance begins at ${starts_at}${end}` };
    }
    case 'active': {
      const end = ends_at ? ` until ${ends_at}` : '';
      return { level: 'warning', title, message: message ?? `The system is in maintenance${end}` };
    }
    case 'none':
      return { level: 'info', title, message: 'The maintenance is over or was called off' };
  }
}

/** By whole characters, never through one. */
function cut(text: string, most: number): string {
  const characters = text.length > most ? [...text] : [];
  return characters.length > most ? `${characters.slice(0, most - 1).join('')}…` : text;
}
