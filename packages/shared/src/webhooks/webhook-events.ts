import { z } from 'zod';
import type { EventType, PlatformEvent } from '../events.ts';
import { deliverable, fieldNames, id, ids } from './deliverable.ts';

const webhook = z.object({
  webhook_id: id,
  project_id: id.nullable(),
  owner_id: id,
  url: z.string(),
  status: z.enum(['active', 'paused', 'disabled']),
});

function webhookOf({ data }: PlatformEvent<Extract<EventType, `webhook.${string}`>>): z.input<typeof webhook> {
  const { webhook_id, project_id, owner_id, url, status } = data;
  return { webhook_id, project_id, owner_id, url, status };
}

const { project_id } = ids;
const aWebhook = {
  webhook_id: ids.webhook_id,
  project_id,
  owner_id: ids.user_id,
  url: 'https://hooks.example.com/claude',
  status: 'active',
} as const;

/** Events of webhooks: each is told to the others. */
export const webhookEvents = {
  'webhook.created': deliverable('webhook.created', {
    description: 'Another webhook was created',
    data: webhook,
    dataOf: webhookOf,
    example: aWebhook,
  }),
  'webhook.updated': deliverable('webhook.updated', {
    description: 'Another webhook was changed, paused or resumed, or got a new secret',
    data: webhook.extend({ changed_fields: fieldNames }),
    dataOf: (event) => ({ ...webhookOf(event), changed_fields: event.data.changed_fields }),
    example: { ...aWebhook, changed_fields: ['events'] },
  }),
  'webhook.disabled': deliverable('webhook.disabled', {
    description: 'Another webhook was disabled, since its deliveries failed for days or its receiver is gone',
    data: webhook.extend({ reason: z.string() }),
    dataOf: (event) => ({ ...webhookOf(event), reason: event.data.reason }),
    example: { ...aWebhook, status: 'disabled', reason: 'failing' },
  }),
  'webhook.deleted': deliverable('webhook.deleted', {
    description: 'Another webhook was deleted',
    data: webhook,
    dataOf: webhookOf,
    example: aWebhook,
  }),
} as const;
