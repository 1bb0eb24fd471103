import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { acceptedFields, clearedFields, type Endpoint, resumeField } from './endpoints.ts';
import { invalid, type Validate } from './validator.ts';

/** The parts of an HTTP request that a message is made of. */
export interface RequestParts {
  params: Readonly<Record<string, string>>;
  /** Raw query, without its question mark. */
  query: string;
  /** Parsed JSON; undefined without a body. */
  body: unknown;
  /** What the caller of a stream received last, by its Last-Event-ID. */
  last?: string;
}

type Message = Record<string, unknown>;

/** Reads the request message of one endpoint. @throws PlatformError VALIDATION_* */
export type ReadRequest = (parts: RequestParts) => Message;

/** A reader of requests: path, query and body become one validated message. */
export function requestReaderOf(endpoint: Endpoint, validate: Validate): ReadRequest {
  const fields = new Map(acceptedFields(endpoint.request).map((field) => [field.name, field]));
  const clears = endpoint.request.fields.some((field) => field.name === clearedFields);
  return ({ params, query, body, last }) => {
    const message = endpoint.input === 'body' ? objectOf(body) : {};
    const cleared = clears ? namesOfCleared(message, fields) : [];
    dropNulls(message, endpoint.request);
    if (query) readQuery(message, query, endpoint.input === 'query' ? fields : new Map());
    if (last !== undefined) message[resumeField] = last;
    for (const name of endpoint.pathParameters) {
      const value = coerce(params[name] ?? '', fields.get(name));
      if (Object.hasOwn(message, name) && message[name] !== value) throw invalid(name, 'Field is unknown');
      message[name] = value;
    }
    validate(message);
    if (clears) message[clearedFields] = cleared;
    return message;
  };
}

function objectOf(body: unknown): Message {
  if (body === undefined) return {};
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Message;
  throw invalid('body', 'must be an object');
}

function namesOfCleared(message: Message, fields: ReadonlyMap<string, DescField>): string[] {
  return Object.keys(message).filter((name) => {
    const value = message[name];
    return fields.has(name) && (value === null || (Array.isArray(value) && value.length === 0));
  });
}

/** null counts as absent in every declared field, so a required one is missing; undeclared ones stay and are refused. */
function dropNulls(message: Message, type: DescMessage): void {
  for (const field of type.fields) {
    if (!Object.hasOwn(message, field.name)) continue;
    const value = message[field.name];
    if (value === null) message[field.name] = undefined;
    else if (isDeclared(field)) for (const each of [value].flat()) dropNullsOf(each, field.message);
  }
}

function dropNullsOf(value: unknown, type: DescMessage): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) dropNulls(value as Message, type);
}

/** Whether a field holds messages of ours, rather than values or free-form data. */
function isDeclared(field: DescField): field is DescField & { message: DescMessage } {
  return field.fieldKind !== 'map' && field.message !== undefined && !field.message.typeName.startsWith('google.');
}

function readQuery(message: Message, query: string, fields: ReadonlyMap<string, DescField>): void {
  const parameters = new URLSearchParams(query);
  for (const name of new Set(parameters.keys())) {
    const field = fields.get(name);
    if (!field) throw invalid(name, 'Field is unknown');
    const values = parameters.getAll(name);
    if (field.fieldKind === 'list')
      message[name] = values.flatMap((value) => value.split(',')).map((v) => coerce(v, field));
    else if (values.length === 1) message[name] = coerce(values[0] ?? '', field);
    else throw invalid(name, 'must be given only once');
  }
}

/** Texts of paths and queries become numbers and booleans where such are asked for; what is neither is left to be refused. */
function coerce(text: string, field: DescField | undefined): unknown {
  switch (field?.scalar) {
    case undefined:
    case ScalarType.STRING:
      return text;
    case ScalarType.BOOL:
      return text === 'true' || (text === 'false' ? false : text);
    default:
      return /^-?\d{1,20}(\.\d{1,20})?$/.test(text) ? Number(text) : text;
  }
}
