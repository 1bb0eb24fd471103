import { exampleBody, schemaOf } from '@claude-cli/shared/webhooks/body';
import { type DeliverableType, deliverableTypes, entryOf } from '@claude-cli/shared/webhooks/catalog';
import type { Schema } from '../contract/schema.ts';

const about = `

Signed by the secret of the webhook; how receivers verify it, and when it is repeated, is told in docs/webhooks.md.`;

/** What webhooks send, by type of event, as OpenAPI describes requests that an API makes. */
export function webhooksOf(): Record<string, Schema> {
  return Object.fromEntries(deliverableTypes.map((type) => [type, { post: requestOf(type) }]));
}

function requestOf(type: DeliverableType): Schema {
  const { $schema: _, ...schema } = schemaOf(type);
  return {
    summary: entryOf(type).description,
    description: `${entryOf(type).description}.${about}`,
    tags: ['Webhook'],
    parameters: headersOf(type),
    requestBody: { required: true, content: { 'application/json': { schema, example: exampleBody(type) } } },
    responses: {
      '2XX': { description: 'The receiver has it. Every other answer, and none within 15 seconds, is repeated.' },
    },
  };
}

function headersOf(type: DeliverableType): Schema[] {
  const { delivery_id } = exampleBody(type);
  const headers: [string, string, unknown][] = [
    ['X-Event-Type', 'Type of the event.', type],
    ['X-Delivery-ID', 'Id of the delivery: the same in every repetition.', delivery_id],
    [
      'X-Signature-256',
      'sha256= and the HMAC-SHA256 of the body under the secret of the webhook, in hex.',
      'sha256=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
    ],
    ['webhook-id', 'Id of the delivery, as Standard Webhooks name it.', delivery_id],
    ['webhook-timestamp', 'When it was sent, in seconds since the epoch.', '1753884000'],
    [
      'webhook-signature',
      'Signatures of id, time and body, as Standard Webhooks define them.',
      'v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=',
    ],
  ];
  return headers.map(([name, description, example]) => ({
    name,
    in: 'header',
    required: true,
    description,
    schema: { type: 'string' },
    example,
  }));
}
