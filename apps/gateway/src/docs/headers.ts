import type { ErrorCode } from '@claude-cli/shared/errors';
import { type Endpoint, takesIdempotencyKey } from '../contract/endpoints.ts';
import type { Schema } from '../contract/schema.ts';
import { reference } from './envelope-schemas.ts';
import { exampleId } from './example-values.ts';

const count = { type: 'integer', minimum: 0 };

/** Headers of answers, by name. */
export const answerHeaders: Readonly<Record<string, Schema>> = {
  'X-Request-ID': {
    description: 'Id of the request: the one that the caller sent, or a new one. Logs name it.',
    schema: { type: 'string' },
    example: exampleId('request'),
  },
  'X-RateLimit-Limit': { description: 'Requests that are granted per window.', schema: count, example: 200 },
  'X-RateLimit-Remaining': { description: 'Requests that are left in this window.', schema: count, example: 195 },
  'X-RateLimit-Reset': {
    description: 'When the next window starts, in seconds since the epoch.',
    schema: count,
    example: 1753884060,
  },
  'X-RateLimit-Window': { description: 'Length of the window in seconds.', schema: count, example: 60 },
  'Retry-After': {
    description: 'Seconds after which to try again.',
    schema: { type: 'integer', minimum: 1 },
    example: 30,
  },
  'WWW-Authenticate': { description: 'How to identify oneself.', schema: { type: 'string' }, example: 'Bearer' },
  'Idempotency-Replayed': {
    description: 'Present when this is the answer to an earlier request with the same Idempotency-Key.',
    schema: { type: 'string', enum: ['true'] },
    example: 'true',
  },
};

const ofEveryAnswer = [
  'X-Request-ID',
  'X-RateLimit-Limit',
  'X-RateLimit-Remaining',
  'X-RateLimit-Reset',
  'X-RateLimit-Window',
];

/** Headers of an answer with this status and, for an error, one of these codes. */
export function headersOf(status: number, codes: readonly ErrorCode[] = [], replayable = false): Schema {
  const names = [...ofEveryAnswer];
  if (status === 401) names.push('WWW-Authenticate');
  if (status === 429 || status === 503 || codes.includes('IDEMPOTENCY_KEY_IN_USE')) names.push('Retry-After');
  if (replayable) names.push('Idempotency-Replayed');
  return Object.fromEntries(names.map((name) => [name, reference('headers', name)]));
}

// Their examples stand in the schemas: tools send the example of a parameter unless they are told otherwise, and one key or
// one session for everything is not what anybody wants.
/** Headers of requests, by the names of their parameters in documents. */
export const requestHeaders: Readonly<Record<string, Schema>> = {
  RequestId: {
    name: 'X-Request-ID',
    in: 'header',
    description: 'Id that the answer and the logs are to name.',
    schema: { type: 'string', examples: [exampleId('request')] },
  },
  SessionId: {
    name: 'X-Session-ID',
    in: 'header',
    description: 'Session in which this happens: it is told to its history and counts as an access of it.',
    schema: { type: 'string', format: 'uuid', examples: [exampleId('session')] },
  },
  LastEventId: {
    name: 'Last-Event-ID',
    in: 'header',
    description:
      'Id of the last event that was received: what came after it is sent first. Browsers send it by themselves.',
    schema: { type: 'string', maxLength: 128, examples: ['7c9e6679:1042'] },
  },
  IdempotencyKey: {
    name: 'Idempotency-Key',
    in: 'header',
    description:
      'Makes repeating safe: the same key with the same request gets the first answer again, for 24 hours. Unique per request, such as a UUID.',
    schema: {
      type: 'string',
      minLength: 1,
      maxLength: 255,
      pattern: '^[\\x21-\\x7e]+$',
      examples: [exampleId('attempt')],
    },
  },
};

/** Parameters for the headers that an endpoint looks at. */
export function headerParametersOf(endpoint: Endpoint): Schema[] {
  const names = ['RequestId'];
  if (endpoint.access !== 'everyone') names.push('SessionId');
  if (endpoint.streams) names.push('LastEventId');
  if (takesIdempotencyKey(endpoint)) names.push('IdempotencyKey');
  return names.map((name) => reference('parameters', name));
}
