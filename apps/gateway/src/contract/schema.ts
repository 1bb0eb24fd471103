import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { commentOf } from './comments.ts';
import type { Contract, Rules } from './contract.ts';
import { acceptedFields } from './endpoints.ts';
import { formats } from './formats.ts';

/** A JSON Schema. */
export interface Schema {
  [keyword: string]: unknown;
}

/**
 * How schemas are written: for ajv with our own keywords (`text`, `freeForm`), nested messages in place; or for documents
 * with comments and examples, nested messages as references.
 */
export interface Dialect {
  contract: Contract;
  purpose: 'validation' | 'document';
  /** The schema of a message inside another one. */
  nested(message: DescMessage): Schema;
}

const defaultMaxBytes = 65_536;
const mapKey = { type: 'string', minLength: 1, text: true, not: { const: '__proto__' } };

/** What a request message accepts: its required fields, nothing undeclared. */
export function requestSchema(message: DescMessage, dialect: Dialect): Schema {
  const fields = acceptedFields(message);
  const required = fields.filter((field) => dialect.contract.rulesOf(field).required).map((field) => field.name);
  return {
    type: 'object',
    properties: Object.fromEntries(fields.map((field) => [field.name, fieldSchema(field, dialect)])),
    ...(required.length > 0 && { required }),
    additionalProperties: false,
  };
}

/** What one field of a request accepts. */
export function fieldSchema(field: DescField, dialect: Dialect): Schema {
  const rules = dialect.contract.rulesOf(field);
  const schema = { ...shapeOf(field, rules, dialect), ...(rules.default && { default: JSON.parse(rules.default) }) };
  if (dialect.purpose === 'validation') return schema;
  return { ...schema, ...documentation(field, rules), ...(rules.secret && { writeOnly: true }) };
}

/** What an answer holds: every declared field, null where nothing is set. */
export function responseSchema(message: DescMessage, dialect: Dialect): Schema {
  const properties = message.fields.map((field) => {
    const rules = dialect.contract.rulesOf(field);
    const shape = shapeOf(field, rules, dialect);
    // A message field without `optional` is always set: its owner says so by leaving the word out.
    const promised = field.proto.proto3Optional ? nullable(shape) : shape;
    return [field.name, { ...promised, ...documentation(field, rules) }] as const;
  });
  return {
    type: 'object',
    properties: Object.fromEntries(properties),
    required: message.fields.map((field) => field.name),
  };
}

/** Whether an answer can tell that a field is not set, and holds null then. */
export function isNullable(field: DescField): boolean {
  return field.fieldKind === 'message' || field.proto.proto3Optional;
}

function nullable(shape: Schema): Schema {
  if (Array.isArray(shape.enum)) return { ...shape, type: [shape.type, 'null'], enum: [...shape.enum, null] };
  if (typeof shape.type === 'string') return { ...shape, type: [shape.type, 'null'] };
  return '$ref' in shape ? { anyOf: [shape, { type: 'null' }] } : shape;
}

function documentation(field: DescField, rules: Rules): Schema {
  const description = commentOf(field);
  return {
    ...(description && { description }),
    ...(rules.example && { examples: [JSON.parse(rules.example)] }),
  };
}

function shapeOf(field: DescField, rules: Rules, dialect: Dialect): Schema {
  if (field.fieldKind === 'list') {
    return {
      type: 'array',
      items: valueSchema(field, rules, dialect),
      ...defined({ minItems: rules.minItems ?? (rules.required ? 1 : undefined), maxItems: rules.maxItems }),
    };
  }
  if (field.fieldKind === 'map') {
    return {
      type: 'object',
      additionalProperties: valueSchema(field, { ...rules, required: false }, dialect),
      ...(dialect.purpose === 'validation' && { propertyNames: mapKey }),
      ...defined({ minProperties: rules.minItems, maxProperties: rules.maxItems }),
    };
  }
  return valueSchema(field, rules, dialect);
}

function valueSchema(field: DescField, rules: Rules, dialect: Dialect): Schema {
  if (field.message) return messageSchema(field.message, rules, dialect);
  if (field.enum) return { type: 'string', enum: field.enum.values.map((value) => value.name) };
  switch (field.scalar) {
    case ScalarType.STRING:
      return stringSchema(rules, dialect);
    case ScalarType.BOOL:
      return { type: 'boolean' };
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return { type: 'number', ...defined({ minimum: rules.minimum, maximum: rules.maximum }) };
    case ScalarType.INT32:
      return integerSchema(rules, dialect, -(2 ** 31), 2 ** 31 - 1);
    case ScalarType.UINT32:
      return integerSchema(rules, dialect, 0, 2 ** 32 - 1);
    case ScalarType.INT64:
      return integerSchema(rules, dialect, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    default:
      throw new Error(`${field.parent.name}.${field.name}: its type has no REST form`);
  }
}

function messageSchema(message: DescMessage, rules: Rules, { purpose, nested }: Dialect): Schema {
  switch (message.typeName) {
    case 'google.protobuf.Timestamp':
      return { type: 'string', format: 'date-time' };
    case 'google.protobuf.Struct':
      return purpose === 'validation'
        ? { type: 'object', freeForm: { maxBytes: rules.maxBytes || defaultMaxBytes } }
        : { type: 'object', additionalProperties: true };
    case 'google.protobuf.Value':
      return purpose === 'validation' ? { freeForm: { maxBytes: rules.maxBytes || defaultMaxBytes } } : {};
    default:
      return nested(message);
  }
}

function stringSchema(rules: Rules, { purpose }: Dialect): Schema {
  return {
    type: 'string',
    ...defined({
      // An empty string in a required field is as good as none; it is told apart as too short.
      minLength: rules.minLength ?? (rules.required ? 1 : undefined),
      maxLength: rules.maxLength,
      enum: rules.oneOf.length > 0 ? rules.oneOf : undefined,
      ...formatSchema(rules, purpose),
    }),
    ...(purpose === 'validation' && { text: true }),
  };
}

// A format that JSON Schema does not know, or knows as something else, is a pattern to readers of a document.
function formatSchema({ format, pattern }: Rules, purpose: Dialect['purpose']): Schema {
  const asPattern = purpose === 'document' ? formats[format]?.pattern : undefined;
  return asPattern ? { pattern: asPattern } : { format: format || undefined, pattern: pattern || undefined };
}

function integerSchema(rules: Rules, { purpose }: Dialect, least: number, greatest: number): Schema {
  // What the wire can hold is checked in any case, but is no news to readers of a document.
  const bounds = purpose === 'validation' ? { minimum: least, maximum: greatest } : {};
  return { type: 'integer', ...bounds, ...defined({ minimum: rules.minimum, maximum: rules.maximum }) };
}

function defined(schema: Schema): Schema {
  return Object.fromEntries(Object.entries(schema).filter(([, value]) => value !== undefined));
}
