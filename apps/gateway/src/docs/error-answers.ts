import { type ErrorCode, errorKinds } from '@claude-cli/shared/errors';
import type { Endpoint } from '../contract/endpoints.ts';
import type { Schema } from '../contract/schema.ts';
import { causes, type ErrorsOfStatus, errorsOf } from './endpoint-errors.ts';
import { reference } from './envelope-schemas.ts';
import { exampleId, exampleTime } from './example-values.ts';
import { headersOf } from './headers.ts';

/** The error answers of an endpoint, by status. Those that many endpoints share are references. */
export function errorAnswersOf(endpoint: Endpoint): Record<string, Schema> {
  return Object.fromEntries(
    errorsOf(endpoint).map((errors) => [
      errors.status,
      errors.cause ? reference('responses', errors.cause.name) : answer(errors),
    ]),
  );
}

/** The answers that many endpoints share, by name. */
export function sharedAnswers(): Record<string, Schema> {
  return Object.fromEntries(
    causes.map(({ name, codes: [first, ...others] }) => {
      if (!first) throw new Error(`${name} has no codes`);
      return [name, answer({ status: errorKinds[first].http, codes: [first, ...others] })];
    }),
  );
}

/** An example of each error, by its code. */
export function errorExamples(): Record<string, Schema> {
  return Object.fromEntries(
    Object.entries(errorKinds).map(([code, { meaning }]) => [
      code,
      {
        summary: meaning,
        value: {
          data: null,
          error: { code, message: meaning, ...facts[code as ErrorCode] },
          meta: { timestamp: exampleTime, request_id: exampleId('request') },
        },
      },
    ]),
  );
}

function answer({ status, codes }: ErrorsOfStatus): Schema {
  const only = { properties: { error: { properties: { code: { enum: codes } } } } };
  return {
    description: codes.map((code) => `- \`${code}\`: ${errorKinds[code].meaning}`).join('\n'),
    headers: headersOf(status, codes),
    content: {
      'application/json': {
        schema: { allOf: [reference('schemas', 'Error'), only] },
        examples: Object.fromEntries(codes.map((code) => [code, reference('examples', code)])),
      },
    },
  };
}

const wrongField = (field: string, issue: string) => ({ message: 'Invalid input data', details: { field, issue } });
const id = (kind: string) => ({ details: { [`${kind}_id`]: exampleId(kind) } });

/** What the examples of errors tell beyond their meaning. */
const facts: Readonly<Record<ErrorCode, { message?: string; details: Record<string, unknown> }>> = {
  AUTH_TOKEN_INVALID: { details: {} },
  AUTH_TOKEN_MISSING: { details: {} },
  AUTH_INSUFFICIENT_PERMISSIONS: { message: 'This needs the permission write', details: { required: 'write' } },
  AUTH_ACCOUNT_DISABLED: { details: {} },
  VALIDATION_ERROR: wrongField('colour', 'Field is unknown'),
  VALIDATION_REQUIRED_FIELD: wrongField('title', 'Field is required'),
  VALIDATION_INVALID_FORMAT: wrongField('project_id', 'must be a UUID'),
  VALIDATION_VALUE_TOO_LONG: wrongField('title', 'must NOT have more than 255 characters'),
  VALIDATION_VALUE_TOO_SHORT: wrongField('title', 'must NOT have fewer than 1 characters'),
  REQUEST_MALFORMED: { message: 'The request cannot be read', details: {} },
  METHOD_NOT_ALLOWED: { message: 'PATCH is not allowed here', details: { allowed: 'GET, HEAD' } },
  UNSUPPORTED_MEDIA_TYPE: { message: 'The body must be application/json', details: { expected: 'application/json' } },
  REQUEST_TOO_LARGE: { message: 'The request body exceeds 10485760 bytes', details: { limit: 10_485_760 } },
  RESOURCE_NOT_FOUND: { details: {} },
  RESOURCE_ALREADY_EXISTS: { details: { field: 'username' } },
  RESOURCE_IN_USE: { details: {} },
  RESOURCE_CONFLICT: {
    message: 'The status of the task cannot change from completed to failed',
    details: { field: 'status', issue: 'cannot change from completed to failed' },
  },
  RESOURCE_LIMIT_EXCEEDED: { details: {} },
  TASK_NOT_FOUND: id('task'),
  TASK_ALREADY_RUNNING: id('task'),
  TASK_EXECUTION_FAILED: { details: { error: 'Command not found: claude', exit_code: 127 } },
  TASK_TIMEOUT: id('task'),
  TASK_CANCELLED: id('task'),
  TASK_DEPENDENCY_NOT_MET: {
    message: 'Tasks that this one depends on are not completed',
    details: { unmet: [{ task_id: exampleId('depends_on_task'), title: 'Set up the database', status: 'pending' }] },
  },
  PROJECT_NOT_FOUND: id('project'),
  PROJECT_ACCESS_DENIED: id('project'),
  PROJECT_ARCHIVED: id('project'),
  PROJECT_LIMIT_EXCEEDED: { details: { limit: 'max_tasks', value: 500 } },
  COMMAND_UNSAFE: { details: {} },
  IDEMPOTENCY_KEY_REUSED: { details: {} },
  IDEMPOTENCY_KEY_IN_USE: { details: { retry_at: '2025-07-30T14:00:01Z' } },
  RATE_LIMIT_EXCEEDED: {
    message: 'Too many requests. Please try again later.',
    details: { limit: 100, window: 60, reset_at: '2025-07-30T14:01:00Z' },
  },
  SYSTEM_MAINTENANCE: { details: {} },
  SYSTEM_OVERLOADED: { details: {} },
  DATABASE_ERROR: { details: {} },
  QUEUE_FULL: { details: {} },
  WEBSOCKET_CONNECTION_FAILED: { details: {} },
  SERVICE_UNAVAILABLE: { details: {} },
  UPSTREAM_ERROR: { details: {} },
  INTERNAL_SERVER_ERROR: { details: {} },
};
