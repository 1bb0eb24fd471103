import { componentOf, type Field, type Model, type Operation, type Schema } from './document.ts';
import { camelOf, capital, iteratorOf, typeName } from './naming.ts';
import { shapeOf, shapesOf } from './shapes.ts';

const header = '// Generated from docs/openapi.json by scripts/generate.ts.\n';

/** Interfaces of everything that is sent and answered. */
export function typesModule({ schemas, operations }: Model): string {
  const components = Object.entries(schemas).map(
    ([name, schema]) => `${comment(schema.description, '')}export ${declaration(typeName(name), schema)}`,
  );
  const requests = operations
    .filter(({ query, body }) => query.length + body.length > 0)
    .map((operation) => `/** Request of ${operation.resource}.${operation.method}. */\n${requestInterface(operation)}`);
  return `${header}\n${[...components, ...requests].join('\n')}`;
}

/** The table of endpoints, and which fields hold declared objects. */
export function operationsModule(model: Model): string {
  const rows = model.operations.map((operation) => {
    const { id, verb, path, keyed, query, body, answer, paging } = operation;
    const bodyShape = Object.fromEntries(
      body.map(({ name, schema }) => [name, shapeOf(schema, model)]).filter(([, shape]) => shape !== undefined),
    );
    const row = {
      verb,
      path,
      keyed,
      query: query.map(({ name }) => name),
      request: bodyShape,
      answer: shapeOf(answer, model) ?? {},
      ...(paging ? { paging: { kind: paging.kind, entries: camelOf(paging.entries) } } : {}),
    };
    return `  ${id}: ${JSON.stringify(row)},`;
  });
  return [
    header,
    "import type { Operation, Shape } from '../operation.ts';\n",
    '/** Where components hold further declared objects. */',
    `export const shapes: Readonly<Record<string, Shape>> = ${JSON.stringify(shapesOf(model), null, 2)};\n`,
    '/** Every endpoint. */',
    `export const operations = {\n${rows.join('\n')}\n} satisfies Record<string, Operation>;\n`,
  ].join('\n');
}

/** One class per resource, and one that has them all. */
export function resourcesModule({ operations }: Model): string {
  const byResource = Map.groupBy(operations, ({ resource }) => resource);
  const classes = [...byResource].map(
    ([resource, own]) =>
      `/** Endpoints below \`client.${resource}\`. */\nexport class ${capital(resource)} extends Resource {\n${own.map(methodText).join('\n')}\n}\n`,
  );
  const names = [...byResource.keys()];
  return [
    header,
    "import type { CallOptions } from '../operation.ts';",
    "import { type Caller, Resource } from '../resource.ts';",
    "import { operations } from './operations.ts';",
    "import type * as types from './types.ts';\n",
    ...classes,
    '/** Everything that a client offers. */',
    'export class Resources {',
    ...names.map((name) => `  readonly ${name}: ${capital(name)};`),
    '\n  constructor(caller: Caller) {',
    ...names.map((name) => `    this.${name} = new ${capital(name)}(caller);`),
    '  }\n}\n',
  ].join('\n');
}

function methodText(operation: Operation): string {
  const { id, method, documentation, pathFields, query, body, answer, paging } = operation;
  const fields = [...query, ...body];
  const optional = fields.every(({ required }) => !required);
  const positions = pathFields.map((name) => `${camelOf(name)}: string`);
  const request = fields.length > 0 ? [`request${optional ? '?' : ''}: types.${capital(id)}Request`] : [];
  const parameters = [...positions, ...request, 'options?: CallOptions'].join(', ');
  const path = `[${pathFields.map(camelOf).join(', ')}]`;
  const sent = fields.length > 0 ? 'request' : 'undefined';
  const lines = [
    comment(documentation, '  '),
    `  ${method}(${parameters}): Promise<${typeText(answer, 'types.')}> {\n`,
    `    return this.call(operations.${id}, ${path}, ${sent}, options);\n  }\n`,
  ];
  if (paging) {
    const skipped = paging.kind === 'page' ? "'page'" : "'offset'";
    const rest = [
      ...positions,
      `request?: Omit<types.${capital(id)}Request, ${skipped}>`,
      'options?: CallOptions',
    ].join(', ');
    lines.push(
      `\n  /** All entries of {@link ${method}}, page after page. What is added or removed meanwhile can shift entries between pages. */\n`,
      `  ${iteratorOf(method)}(${rest}): AsyncGenerator<${typeText(paging.entry, 'types.')}, void> {\n`,
      `    return this.entries(operations.${id}, ${path}, request, options);\n  }\n`,
    );
  }
  return lines.join('');
}

function requestInterface({ id, query, body }: Operation): string {
  return `export interface ${capital(id)}Request {\n${[...query, ...body].map(fieldText).join('')}}\n`;
}

function fieldText({ name, schema, required, description }: Field): string {
  const mark = required ? '' : '?';
  const absent = required ? '' : ' | null | undefined';
  return `${comment(description, '  ')}  ${camelOf(name)}${mark}: ${typeText(schema)}${absent};\n`;
}

function declaration(name: string, schema: Schema): string {
  if (schema.properties) return `interface ${name} ${objectText(schema, '')}\n`;
  return `type ${name} = ${typeText(schema)};\n`;
}

function objectText({ properties = {}, required = [] }: Schema, prefix: string): string {
  const fields = Object.entries(properties).map(([name, schema]) => {
    const mark = required.includes(name) ? '' : '?';
    return `${comment(schema.description, '  ')}  ${camelOf(name)}${mark}: ${typeText(schema, prefix)};\n`;
  });
  return `{\n${fields.join('')}}`;
}

function typeText(schema: Schema, prefix = ''): string {
  if (schema.$ref) return prefix + typeName(componentOf(schema.$ref));
  if (schema.allOf) return schema.allOf.map((part) => typeText(part, prefix)).join(' & ');
  if (schema.anyOf) return schema.anyOf.map((part) => typeText(part, prefix)).join(' | ');
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (Array.isArray(schema.type)) {
    return schema.type.map((type) => typeText({ ...schema, type }, prefix)).join(' | ');
  }
  switch (schema.type) {
    case 'string':
    case 'boolean':
    case 'null':
      return schema.type;
    case 'integer':
    case 'number':
      return 'number';
    case 'array':
      return `readonly (${typeText(schema.items ?? {}, prefix)})[]`;
    case 'object': {
      if (schema.properties) return objectText(schema, prefix);
      const { additionalProperties: inner } = schema;
      return `Record<string, ${typeof inner === 'object' ? typeText(inner, prefix) : 'unknown'}>`;
    }
    default:
      return 'unknown';
  }
}

function comment(text: string | undefined, indent: string): string {
  return text ? `${indent}/** ${text.replaceAll('*/', '* /').replaceAll('\n', `\n${indent} * `)} */\n` : '';
}
