import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import build from 'fast-json-stringify';
import type { Endpoint } from './endpoints.ts';
import { isNullable, type Schema } from './schema.ts';

/** What every successful answer says about itself. */
export interface Meta {
  timestamp: string;
  request_id: string;
  version: string;
}

/** Writes the successful answer of one endpoint: declared fields only, null where nothing is set. */
export type Serialize = (answer: { data: unknown; error: null; meta: Meta }) => string;

const string = { type: 'string' };
const integer = { type: 'integer' };
const orNull = (schema: Schema): Schema => ({ ...schema, nullable: true, default: null });
const object = (properties: Record<string, Schema>): Schema => ({ type: 'object', properties });

const link = orNull(string);
const pageProperties = {
  page: integer,
  page_size: integer,
  pages: integer,
  has_next: { type: 'boolean' },
  has_previous: { type: 'boolean' },
  pagination: object({
    total: integer,
    page: integer,
    page_size: integer,
    pages: integer,
    links: object({ first: link, previous: link, next: link, last: link }),
  }),
};

/** A compiled serializer for the enveloped answer of an endpoint. */
export function serializerOf(endpoint: Endpoint): Serialize {
  const properties = { ...propertiesOf(endpoint.response), ...(endpoint.paginated && pageProperties) };
  return build(
    object({
      data: object(properties),
      error: { type: 'null' },
      meta: object({ timestamp: string, request_id: string, version: string }),
    }),
  );
}

function propertiesOf(message: DescMessage): Record<string, Schema> {
  return Object.fromEntries(message.fields.map((field) => [field.name, fieldSchema(field)]));
}

function fieldSchema(field: DescField): Schema {
  if (field.fieldKind === 'list') return { type: 'array', items: valueSchema(field), default: [] };
  if (field.fieldKind === 'map') return { type: 'object', additionalProperties: valueSchema(field), default: {} };
  return isNullable(field) ? orNull(valueSchema(field)) : valueSchema(field);
}

function valueSchema({ message, scalar }: DescField): Schema {
  if (message) {
    if (message.typeName === 'google.protobuf.Timestamp') return string;
    const free = message.typeName === 'google.protobuf.Struct' || message.typeName === 'google.protobuf.Value';
    return free ? {} : object(propertiesOf(message));
  }
  if (scalar === undefined || scalar === ScalarType.STRING) return string;
  if (scalar === ScalarType.BOOL) return { type: 'boolean' };
  return scalar === ScalarType.DOUBLE || scalar === ScalarType.FLOAT ? { type: 'number' } : integer;
}
