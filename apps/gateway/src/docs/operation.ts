import type { DescMessage } from '@bufbuild/protobuf';
import { commentOf } from '../contract/comments.ts';
import type { Contract } from '../contract/contract.ts';
import { acceptedFields, type Endpoint, takesIdempotencyKey } from '../contract/endpoints.ts';
import { type Dialect, fieldSchema, requestSchema, responseSchema, type Schema } from '../contract/schema.ts';
import { type Page, paginate } from '../http/pagination.ts';
import { reference } from './envelope-schemas.ts';
import { errorAnswersOf } from './error-answers.ts';
import { exampleId, exampleTime } from './example-values.ts';
import type { Examples } from './examples.ts';
import { headerParametersOf, headersOf } from './headers.ts';

/** What the operations of a document have in common. */
export interface Means {
  schemas: MessageSchemas;
  examples: Examples;
  version: string;
}

/** Schemas of the messages that a document refers to, each written once. */
export class MessageSchemas {
  readonly written: Record<string, Schema> = {};
  readonly #contract: Contract;

  constructor(contract: Contract) {
    this.#contract = contract;
  }

  /** A reference to what a message must be when callers send it. */
  request(message: DescMessage): Schema {
    // A message that callers send as well as read has two forms: what is absent in one is null in the other.
    return this.#refer(message, (type) => requestSchema(type, this.dialect('request')), 'Input');
  }

  /** A reference to what a message is in an answer. */
  response(message: DescMessage): Schema {
    return this.#refer(message, (type) => responseSchema(type, this.dialect('response')));
  }

  /** How schemas of requests or of answers are written here. */
  dialect(side: 'request' | 'response'): Dialect {
    return { contract: this.#contract, purpose: 'document', nested: (message) => this[side](message) };
  }

  #refer(message: DescMessage, write: (message: DescMessage) => Schema, suffix = ''): Schema {
    const name = message.typeName.slice(message.file.proto.package.length + 1) + suffix;
    if (!this.written[name]) {
      this.written[name] = {};
      this.written[name] = { ...write(message), description: commentOf(message) };
    }
    return reference('schemas', name);
  }
}

/** The tag of an endpoint: its service. */
export function tagOf({ service }: Endpoint): string {
  return service.name.replace(/Service$/, '');
}

/** The first sentence about an endpoint. */
export function summaryOf({ comment }: Endpoint): string {
  return (/^.*?\.(?= |$)/.exec(comment)?.[0] ?? comment).replace(/\.$/, '');
}

/** An endpoint as OpenAPI describes it. */
export function operationOf(endpoint: Endpoint, means: Means): Schema {
  const inPath = new Set(endpoint.pathParameters);
  const fields = acceptedFields(endpoint.request);
  const hasBody = endpoint.input === 'body' && fields.some(({ name }) => !inPath.has(name));
  return {
    operationId: endpoint.rpc,
    summary: summaryOf(endpoint),
    description: endpoint.comment,
    tags: [tagOf(endpoint)],
    security: endpoint.access === 'everyone' ? [] : [{ bearer: [] }],
    'x-access': endpoint.access,
    parameters: [...parametersOf(endpoint, means), ...headerParametersOf(endpoint)],
    ...(hasBody && { requestBody: requestBodyOf(endpoint, means) }),
    responses: {
      [endpoint.status]: {
        description: commentOf(endpoint.response),
        headers: headersOf(endpoint.status, [], takesIdempotencyKey(endpoint)),
        content: answerContent(endpoint, means),
      },
      ...errorAnswersOf(endpoint),
    },
  };
}

function parametersOf(endpoint: Endpoint, { schemas, examples }: Means): Schema[] {
  const inPath = new Set(endpoint.pathParameters);
  const sent = acceptedFields(endpoint.request).filter(({ name }) => inPath.has(name) || endpoint.input === 'query');
  return sent.map((field) => {
    const { description, ...schema } = fieldSchema(field, schemas.dialect('request'));
    const example = examples.input(field);
    if (inPath.has(field.name)) return { name: field.name, in: 'path', required: true, description, schema, example };
    // Tools send the example of a parameter unless they are told otherwise; that of a schema they only show.
    return {
      name: field.name,
      in: 'query',
      ...(field.fieldKind === 'list' && { style: 'form', explode: false }),
      description,
      schema: { ...schema, examples: [example] },
    };
  });
}

function requestBodyOf(endpoint: Endpoint, { schemas, examples }: Means): Schema {
  const inPath = new Set(endpoint.pathParameters);
  const schema = requestSchema(endpoint.request, schemas.dialect('request'));
  const properties = Object.entries(schema.properties as object).filter(([name]) => !inPath.has(name));
  const required = ((schema.required ?? []) as string[]).filter((name) => !inPath.has(name));
  return {
    required: required.length > 0,
    content: {
      'application/json': {
        schema: { ...schema, properties: Object.fromEntries(properties), required },
        example: examples.request(endpoint).body,
      },
    },
  };
}

function answerContent(endpoint: Endpoint, means: Means): Schema {
  // OpenAPI 3.1 describes a stream as text; what an event holds is told by the schema of its message.
  if (endpoint.streams)
    return { 'text/event-stream': { schema: { type: 'string' }, example: streamExample(endpoint, means) } };
  return { 'application/json': { schema: answerSchema(endpoint, means), example: answerExample(endpoint, means) } };
}

function streamExample(endpoint: Endpoint, { examples }: Means): string {
  const { id, event, data } = examples.answer(endpoint) as Record<string, string>;
  return `id: ${id}\nevent: ${event}\ndata: ${data}\n\n`;
}

function answerSchema(endpoint: Endpoint, { schemas }: Means): Schema {
  const plain = schemas.response(endpoint.response);
  return {
    type: 'object',
    properties: {
      data: endpoint.paginated ? { allOf: [plain, reference('schemas', 'Page')] } : plain,
      error: { type: 'null' },
      meta: reference('schemas', 'Meta'),
    },
    required: ['data', 'error', 'meta'],
  };
}

/** The whole success of an endpoint, in its envelope. */
function answerExample(endpoint: Endpoint, { examples, version }: Pick<Means, 'examples' | 'version'>): Schema {
  const data = examples.answer(endpoint);
  const { path } = examples.request(endpoint);
  const position = { ...path, page: 1, page_size: 50 };
  return {
    data: endpoint.paginated ? paginate(endpoint, position, '', data as unknown as Page) : data,
    error: null,
    meta: { timestamp: exampleTime, request_id: exampleId('request'), version },
  };
}
