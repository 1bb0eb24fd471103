import type { CreateWebhookRequest, UpdateWebhookRequest } from '@claude-cli/proto/platform/v1/webhooks';
import { type AnyEvent, newEvent, type TaskFacts } from '@claude-cli/shared/events';
import { newId } from '@claude-cli/shared/ids';

/** A request for a new webhook. */
export function newWebhook(given: Partial<CreateWebhookRequest> = {}): CreateWebhookRequest {
  return { url: 'https://hooks.example.com/claude?key=s3cret', events: ['task.completed'], headers: {}, ...given };
}

/** A request to change a webhook. */
export function change(webhook_id: string, given: Partial<UpdateWebhookRequest>): UpdateWebhookRequest {
  return { webhook_id, events: [], headers: {}, cleared_fields: [], ...given };
}

const facts: TaskFacts = {
  task_id: newId(),
  title: 'Write the docs',
  status: 'completed',
  progress_percentage: 100,
  updated_at: '2025-07-30T14:00:00.000Z',
  changes: [],
};

/** The news that a task of a project was completed. */
export function taskCompleted(project_id: string): AnyEvent {
  const run = { execution_id: newId(), completed_at: facts.updated_at, duration_ms: 330_000, exit_code: 0 };
  return newEvent('task.completed', { actor: newId(), project_id }, { ...facts, ...run });
}

/** The news that a task of a project was changed. */
export function taskUpdated(project_id: string): AnyEvent {
  const changes = [{ field: 'title', old_value: 'x', new_value: facts.title }];
  return newEvent('task.updated', { actor: newId(), project_id }, { ...facts, status: 'pending', changes });
}
