import { commentOf } from '../contract/comments.ts';
import type { Contract } from '../contract/contract.ts';
import type { Endpoint } from '../contract/endpoints.ts';
import type { Schema } from '../contract/schema.ts';
import { envelopeSchemas } from './envelope-schemas.ts';
import { errorExamples, sharedAnswers } from './error-answers.ts';
import { Examples } from './examples.ts';
import { answerHeaders, requestHeaders } from './headers.ts';
import { MessageSchemas, operationOf, tagOf } from './operation.ts';
import { webhooksOf } from './webhooks.ts';

const description = `Projects, tasks, executions and commands of a team.

Every answer has one envelope: \`data\` of a success or \`error\` of anything else, and \`meta\` with the request's id. Clients
decide by \`error.code\`; each operation lists the codes that it can answer.

Sign in by \`POST /api/auth/login\` and send the token, or an API key, as \`Authorization: Bearer …\`. Requests are limited per
minute, by address or by user; the \`X-RateLimit-*\` headers of every answer tell what is left. A POST with an
\`Idempotency-Key\` can be repeated without being done twice. Lists take \`page\`, \`page_size\`, \`sort\` and \`order\`.

Live updates come over WebSocket at \`/ws/{session_id}\`, which OpenAPI cannot describe. The same operations as collections:
[Postman](/docs/postman_collection.json), [Insomnia](/docs/insomnia_collection.json).`;

/** The OpenAPI 3.1 document of the endpoints. The same contract and version always give the same document. */
export function openapiOf(contract: Contract, endpoints: readonly Endpoint[], version: string): Schema {
  const means = { schemas: new MessageSchemas(contract), examples: new Examples(contract), version };
  const paths: Record<string, Schema> = {};
  for (const endpoint of endpoints) {
    paths[endpoint.path] = { ...paths[endpoint.path], [endpoint.method.toLowerCase()]: operationOf(endpoint, means) };
  }
  const tags = new Map(endpoints.map((endpoint) => [tagOf(endpoint), commentOf(endpoint.service)]));
  return {
    openapi: '3.1.0',
    info: { title: 'Claude CLI Platform', version, description, license: { name: 'MIT', identifier: 'MIT' } },
    servers: [{ url: '/', description: 'The installation that serves this document' }],
    tags: [...tags].map(([name, about]) => ({ name, description: about })),
    paths,
    webhooks: webhooksOf(),
    components: {
      schemas: { ...means.schemas.written, ...envelopeSchemas },
      responses: sharedAnswers(),
      headers: answerHeaders,
      parameters: requestHeaders,
      examples: errorExamples(),
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'The token of a sign-in, or an API key.',
        },
      },
    },
  };
}
