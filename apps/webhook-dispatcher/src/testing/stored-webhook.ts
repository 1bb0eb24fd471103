import { newId } from '@claude-cli/shared/ids';
import type { Seal } from '@claude-cli/shared/seal';
import { newEndpoint } from '../dispatching/endpoint.ts';
import { closeSecret, newSecret } from '../secrets/secrets.ts';
import type { Webhook } from '../webhooks/webhook.ts';

/** An active webhook of everything, to be stored. */
export function storedWebhook(seal: Seal, given: Partial<Webhook> & Pick<Webhook, 'url'>): Webhook {
  const now = new Date();
  return {
    ...{ _id: newId(), owner_id: newId(), project_id: null, events: ['*'], description: '', headers: [] },
    ...{ status: 'active', disabled_reason: null, inactive_since: null, failing_since: null },
    secrets: [closeSecret({ seal }, newSecret(), now)],
    key_id: seal.keyId,
    endpoint: { ...newEndpoint },
    ...{ created_at: now, updated_at: now, version: 1, deleted_at: null, deleted_by: null, outbox: [] },
    ...given,
  };
}
