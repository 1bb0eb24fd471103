import type { DescMessage } from '@bufbuild/protobuf';
import { errorKinds } from '@claude-cli/shared/errors';
import { commentOf } from './comments.ts';
import type { Contract } from './contract.ts';
import { acceptedFields, type Endpoint } from './endpoints.ts';
import { formats } from './formats.ts';
import { type Dialect, fieldSchema, requestSchema, responseSchema, type Schema } from './schema.ts';

/** The OpenAPI 3.1 document of the endpoints. */
export function openapiOf(contract: Contract, endpoints: readonly Endpoint[], version: string): Schema {
  const components = new Components(contract);
  const paths: Record<string, Schema> = {};
  for (const endpoint of endpoints) {
    paths[endpoint.path] = {
      ...paths[endpoint.path],
      [endpoint.method.toLowerCase()]: operation(endpoint, components),
    };
  }
  const services = [...new Set(endpoints.map(({ service }) => service))];
  return inJsonSchema({
    openapi: '3.1.0',
    info: { title: 'Claude CLI platform', version, description: 'Projects, tasks, executions and commands of a team.' },
    servers: [{ url: '/' }],
    tags: services.map((service) => ({ name: tagOf(service.name), description: commentOf(service) })),
    paths,
    components: {
      schemas: { ...components.schemas, ...envelopeSchemas },
      responses: { Error: { description: 'What went wrong', content: json(reference('Error')) } },
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
    },
  }) as Schema;
}

/** Schemas of the messages that the document refers to, each written once. */
class Components {
  readonly schemas: Record<string, Schema> = {};
  readonly #contract: Contract;

  constructor(contract: Contract) {
    this.#contract = contract;
  }

  request(message: DescMessage): Schema {
    // A message that callers send as well as read has two forms: what is absent in one is null in the other.
    return this.#refer(message, (type) => requestSchema(type, this.dialect('request')), 'Input');
  }

  response(message: DescMessage): Schema {
    return this.#refer(message, (type) => responseSchema(type, this.dialect('response')));
  }

  dialect(side: 'request' | 'response'): Dialect {
    return { contract: this.#contract, purpose: 'document', nested: (message) => this[side](message) };
  }

  #refer(message: DescMessage, write: (message: DescMessage) => Schema, suffix = ''): Schema {
    const name = message.typeName.slice(message.file.proto.package.length + 1) + suffix;
    if (!this.schemas[name]) {
      this.schemas[name] = {};
      this.schemas[name] = { ...write(message), description: commentOf(message) };
    }
    return reference(name);
  }
}

function operation(endpoint: Endpoint, components: Components): Schema {
  const dialect = components.dialect('request');
  const inPath = new Set(endpoint.pathParameters);
  const fields = acceptedFields(endpoint.request);
  const asParameters = fields.filter(({ name }) => inPath.has(name) || endpoint.input === 'query');
  const asBody = fields.filter(({ name }) => !inPath.has(name) && endpoint.input === 'body');
  return {
    operationId: endpoint.rpc,
    summary: endpoint.comment.split(/(?<=\.) /)[0],
    description: endpoint.comment,
    tags: [tagOf(endpoint.service.name)],
    security: endpoint.access === 'everyone' ? [] : [{ bearer: [] }],
    'x-access': endpoint.access,
    parameters: asParameters.map((field) => {
      const { description, ...schema } = fieldSchema(field, dialect);
      const place = inPath.has(field.name)
        ? { in: 'path', required: true }
        : { in: 'query', ...(field.fieldKind === 'list' && { style: 'form', explode: false }) };
      return { name: field.name, ...place, description, schema };
    }),
    ...(asBody.length > 0 && { requestBody: requestBody(endpoint, dialect, inPath) }),
    responses: responses(endpoint, components),
  };
}

function requestBody(endpoint: Endpoint, dialect: Dialect, inPath: ReadonlySet<string>): Schema {
  const schema = requestSchema(endpoint.request, dialect);
  const properties = Object.entries(schema.properties as object).filter(([name]) => !inPath.has(name));
  const required = ((schema.required ?? []) as string[]).filter((name) => !inPath.has(name));
  return {
    required: required.length > 0,
    content: json({ ...schema, properties: Object.fromEntries(properties), required }),
  };
}

function responses(endpoint: Endpoint, components: Components): Schema {
  const plain = components.response(endpoint.response);
  const data = endpoint.paginated ? { allOf: [plain, reference('Page')] } : plain;
  const envelope = {
    type: 'object',
    properties: { data, error: { type: 'null' }, meta: reference('Meta') },
    required: ['data', 'error', 'meta'],
  };
  const statuses = new Set([422, 500, 502, 503, ...(endpoint.input === 'body' ? [400, 413, 415] : [])]);
  if (endpoint.access !== 'everyone') for (const status of [401, 403]) statuses.add(status);
  if (endpoint.pathParameters.length > 0) statuses.add(404);
  if (endpoint.method !== 'GET') statuses.add(409);
  return {
    [endpoint.status]: { description: commentOf(endpoint.response), content: json(envelope) },
    ...Object.fromEntries([...statuses].map((status) => [status, { $ref: '#/components/responses/Error' }])),
  };
}

const string = { type: 'string' };
const time = { type: 'string', format: 'date-time' };
const integer = { type: 'integer' };
const boolean = { type: 'boolean' };
const link = { type: ['string', 'null'] };
const object = (properties: Record<string, Schema>): Schema => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
});
const position = { page: integer, page_size: integer, pages: integer };

const envelopeSchemas: Record<string, Schema> = {
  Meta: object({ timestamp: time, request_id: string, version: string }),
  Error: object({
    data: { type: 'null' },
    error: object({
      code: { type: 'string', enum: Object.keys(errorKinds) },
      message: string,
      details: { type: 'object' },
    }),
    meta: object({ timestamp: time, request_id: string }),
  }),
  Page: object({
    ...position,
    has_next: boolean,
    has_previous: boolean,
    pagination: object({
      total: integer,
      ...position,
      links: object({ first: link, previous: link, next: link, last: link }),
    }),
  }),
};

function json(schema: Schema): Schema {
  return { 'application/json': { schema } };
}

function reference(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

function tagOf(service: string): string {
  return service.replace(/Service$/, '');
}

/** Formats that JSON Schema does not know, or knows as something else, become patterns. */
function inJsonSchema(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inJsonSchema);
  if (typeof value !== 'object' || value === null) return value;
  const { format, ...rest } = value as Schema;
  const pattern = typeof format === 'string' ? formats[format]?.pattern : undefined;
  const entries = Object.entries(rest).map(([key, inner]) => [key, inJsonSchema(inner)]);
  return { ...Object.fromEntries(entries), ...(pattern ? { pattern } : format !== undefined && { format }) };
}
