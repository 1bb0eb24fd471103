import { readFileSync } from 'node:fs';
import { methodOf, resourceOf } from './naming.ts';

/** A JSON Schema, as far as the document uses it. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: string[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  allOf?: Schema[];
  anyOf?: Schema[];
  description?: string;
  default?: unknown;
}

/** A field of a request. */
export interface Field {
  name: string;
  schema: Schema;
  required: boolean;
  description: string;
}

/** How a list is read on: by page and page_size, or by limit and offset. */
export interface Paging {
  kind: 'page' | 'offset';
  /** Field of the answer that holds the entries. */
  entries: string;
  entry: Schema;
}

/** An endpoint, and the method of the SDKs that calls it. */
export interface Operation {
  id: string;
  resource: string;
  method: string;
  verb: string;
  /** Below the base URL, which ends in /api. */
  path: string;
  documentation: string;
  pathFields: string[];
  query: Field[];
  body: Field[];
  answer: Schema;
  /** Whether it accepts an Idempotency-Key. */
  keyed: boolean;
  paging: Paging | undefined;
}

/** The document of the API, read for the generators. */
export interface Model {
  operations: Operation[];
  schemas: Record<string, Schema>;
}

interface RawParameter {
  $ref?: string;
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  schema: Schema;
}

interface RawOperation {
  operationId: string;
  summary: string;
  description?: string;
  parameters?: RawParameter[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>;
}

interface Raw {
  paths: Record<string, Record<string, RawOperation>>;
  components: { schemas: Record<string, Schema> };
}

const json = 'application/json';

/** Read the document. @throws Error when two endpoints would be one method, or a name cannot be turned into camel case and back */
export function readModel(file: URL): Model {
  const { paths, components } = JSON.parse(readFileSync(file, 'utf8')) as Raw;
  const schemas = components.schemas;
  const operations = Object.entries(paths).flatMap(([path, byVerb]) =>
    Object.entries(byVerb).flatMap(([verb, raw]) => operationOf(path, verb, raw, schemas) ?? []),
  );
  const taken = new Set<string>();
  for (const { resource, method, id } of operations) {
    const name = `${resource}.${method}`;
    if (taken.has(name)) throw new Error(`${id} would be a second ${name}: give it a name in scripts/naming.ts`);
    taken.add(name);
  }
  return { operations, schemas };
}

function operationOf(
  path: string,
  verb: string,
  raw: RawOperation,
  schemas: Record<string, Schema>,
): Operation | undefined {
  const success = Object.entries(raw.responses).find(([status]) => status.startsWith('2'))?.[1];
  const answer = success?.content?.[json]?.schema.properties?.data;
  // Streams and other answers outside the envelope are no calls.
  if (!answer) return undefined;
  const parameters = raw.parameters ?? [];
  const query = parameters.filter((parameter) => parameter.in === 'query').map(fieldOfParameter);
  const body = raw.requestBody?.content[json]?.schema;
  return {
    id: raw.operationId,
    resource: resourceOf(path),
    method: methodOf(raw.operationId, path),
    verb: verb.toUpperCase(),
    path: path.replace(/^\/api/, ''),
    documentation: raw.description ?? raw.summary,
    pathFields: [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => String(name)),
    query,
    body: Object.entries(body?.properties ?? {}).map(([name, schema]) => ({
      name,
      schema,
      required: body?.required?.includes(name) ?? false,
      description: schema.description ?? '',
    })),
    answer,
    keyed: parameters.some(({ $ref }) => $ref?.endsWith('/IdempotencyKey')),
    paging: pagingOf(query, answer, schemas),
  };
}

function fieldOfParameter({ name, schema, required = false, description = '' }: RawParameter): Field {
  return { name, schema, required, description };
}

function pagingOf(query: Field[], answer: Schema, schemas: Record<string, Schema>): Paging | undefined {
  const has = (name: string) => query.some((field) => field.name === name);
  const kind = has('page') && has('page_size') ? 'page' : has('limit') && has('offset') ? 'offset' : undefined;
  const [entries, schema] = Object.entries(fieldsOf(answer, schemas)).find(([, { items }]) => items) ?? [];
  return kind && entries && schema?.items ? { kind, entries, entry: schema.items } : undefined;
}

/** Name of the component that a reference points to. */
export function componentOf(reference: string): string {
  return reference.replace('#/components/schemas/', '');
}

/** What a schema is besides null. */
export function withoutNull(schema: Schema): Schema {
  return schema.anyOf?.find(({ type }) => type !== 'null') ?? schema;
}

/** The declared fields of an object, those of everything that it is made of. */
export function fieldsOf(schema: Schema, schemas: Record<string, Schema>): Record<string, Schema> {
  const own = withoutNull(schema);
  if (own.$ref) return fieldsOf(schemas[componentOf(own.$ref)] ?? {}, schemas);
  return Object.assign({}, ...(own.allOf ?? []).map((part) => fieldsOf(part, schemas)), own.properties);
}
