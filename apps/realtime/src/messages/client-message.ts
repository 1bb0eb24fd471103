import { type ErrorCode, invalidField, type PlatformError } from '@claude-cli/shared/errors';
import { z } from 'zod';
import { queueNames } from '../metrics/queue-status.ts';
import { channels } from '../subscriptions/subscription.ts';

const requestId = z.string().max(128);
const id = z.uuid();
const position = z.strictObject({ epoch: z.string().min(1).max(128).optional(), seq: z.int().min(0) });
const subscription = {
  channel: z.enum(channels),
  project_id: id.optional(),
  task_id: id.optional(),
  command_id: id.optional(),
  queue_name: z.enum(queueNames).optional(),
  interval: z.int().min(1).max(3_600).optional(),
  request_id: requestId.optional(),
};

/** Every message that a client may send. */
const schemas = {
  authenticate: z.strictObject({
    type: z.literal('authenticate'),
    token: z.string().min(1).max(8192),
    request_id: requestId.optional(),
  }),
  subscribe: z.strictObject({
    type: z.literal('subscribe'),
    ...subscription,
    since: z.union([position, z.array(position).min(1).max(4)]).optional(),
    caught_up: z.boolean().optional(),
  }),
  unsubscribe: z.strictObject({ type: z.literal('unsubscribe'), ...subscription }),
  execute_task: z.strictObject({
    type: z.literal('execute_task'),
    task_id: id,
    priority: z.enum(['high', 'normal', 'low']).optional(),
    options: z
      .strictObject({
        timeout: z.int().min(1).max(86_400).optional(),
        retry_attempts: z.int().min(0).max(10).optional(),
      })
      .optional(),
    request_id: requestId.optional(),
  }),
  get_metrics: z.strictObject({
    type: z.literal('get_metrics'),
    metrics: z
      .array(z.enum(['performance', 'queue_status', 'system_health']))
      .min(1)
      .max(10),
    request_id: requestId.optional(),
  }),
  ping: z.strictObject({ type: z.literal('ping'), timestamp: z.number(), request_id: requestId.optional() }),
};

type Schemas = typeof schemas;

/** Type of a client's message. */
export type ClientMessageType = keyof Schemas;

/** A client's message, checked. */
export type ClientMessage<Type extends ClientMessageType = ClientMessageType> = {
  [T in Type]: z.output<Schemas[T]>;
}[Type];

/** The JSON object that a client sent; undefined for what is not text. @throws PlatformError VALIDATION_INVALID_FORMAT */
export function readText(text: string | undefined): Record<string, unknown> {
  if (text === undefined) throw invalidField('message', 'must be text, not binary', 'VALIDATION_INVALID_FORMAT');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalidField('message', 'must be JSON', 'VALIDATION_INVALID_FORMAT');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidField('message', 'must be a JSON object', 'VALIDATION_INVALID_FORMAT');
  }
  return value as Record<string, unknown>;
}

/** The id by which a client recognizes the answer to a message, readable even when the rest of it is not. */
export function requestIdOf(sent: Record<string, unknown>): string | undefined {
  const result = requestId.safeParse(sent.request_id);
  return result.success ? result.data : undefined;
}

/** A client's message out of the object that it sent. @throws PlatformError VALIDATION_* with {field, issue} */
export function readMessage(sent: Record<string, unknown>): ClientMessage {
  const { type } = sent;
  if (type === undefined) throw invalidField('type', 'is required', 'VALIDATION_REQUIRED_FIELD');
  if (typeof type !== 'string' || !Object.hasOwn(schemas, type)) {
    throw invalidField('type', `must be one of ${Object.keys(schemas).join(', ')}`);
  }
  const result = schemas[type as ClientMessageType].safeParse(sent);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw issue ? errorOf(issue, sent) : invalidField('message', 'is not valid');
}

const codes: Partial<Record<string, ErrorCode>> = {
  invalid_type: 'VALIDATION_INVALID_FORMAT',
  invalid_format: 'VALIDATION_INVALID_FORMAT',
};

function errorOf(issue: z.core.$ZodIssue, sent: Record<string, unknown>): PlatformError {
  if (issue.code === 'unrecognized_keys') return invalidField(issue.keys.join(', '), 'is not a known field');
  const field = issue.path.join('.');
  // Absent is told from wrong by what was sent: zod reports both as a wrong type or a wrong value.
  if (issue.path.length === 1 && sent[field] === undefined) {
    return invalidField(field, 'is required', 'VALIDATION_REQUIRED_FIELD');
  }
  if (issue.code === 'too_big' && issue.origin === 'string') {
    return invalidField(field, `must have at most ${issue.maximum} characters`, 'VALIDATION_VALUE_TOO_LONG');
  }
  if (issue.code === 'too_small' && issue.origin === 'string') {
    return invalidField(field, `must have at least ${issue.minimum} characters`, 'VALIDATION_VALUE_TOO_SHORT');
  }
  return invalidField(field, issue.message, codes[issue.code] ?? 'VALIDATION_ERROR');
}
