import type { Seal } from '@claude-cli/shared/seal';
import type { Delivery } from '../deliveries/delivery.ts';
import { openHeaders, openSecrets } from '../secrets/secrets.ts';
import type { Webhook } from '../webhooks/webhook.ts';
import { type SigningKeys, signatureHeaders, signingKeys } from './sign.ts';

/** Answers that tell nothing about us, and whom to ask about it. */
const usualHeaders = { 'content-type': 'application/json', 'user-agent': 'Claude-CLI-Platform-Webhooks/1' };

/** The headers of what is sent to a webhook, with its secrets opened once for many deliveries. */
export class Envelope {
  readonly #keys: readonly SigningKeys[];
  readonly #headers: Readonly<Record<string, string>>;

  /** @throws when what is sealed cannot be opened */
  constructor(by: { seal: Seal }, webhook: Webhook) {
    this.#keys = openSecrets(by, webhook).map(signingKeys);
    this.#headers = { ...usualHeaders, ...openHeaders(by, webhook) };
  }

  /** The headers of one attempt. */
  headersFor({ _id: deliveryId, event_type: eventType, payload: body }: Delivery, at: Date): Record<string, string> {
    return { ...this.#headers, ...signatureHeaders({ deliveryId, eventType, body, keys: this.#keys, at }) };
  }
}
