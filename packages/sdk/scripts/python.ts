import { componentOf, type Field, fieldsOf, type Model, type Operation, type Schema, withoutNull } from './document.ts';
import { capital, iteratorOf, snakeOf, typeName } from './naming.ts';

const header =
  '# Generated from docs/openapi.json by packages/sdk/scripts/generate.ts.\nfrom __future__ import annotations\n';

/** What is answered becomes objects with attributes; what is sent stays the dictionary that the caller has. */
export function modelsModule(model: Model): string {
  const inputs = sentComponents(model);
  const classes: string[] = [];
  const fields: string[] = [];
  const emit = (name: string, schema: Schema) => {
    const own = Object.entries(schema.properties ?? {});
    const lines = own.map(
      ([field, inner]) => `${remark(inner.description)}    ${field}: ${typeText(inner, name, field)}`,
    );
    classes.push(`class ${name}(Record):\n${docText(schema.description ?? name, '    ')}${lines.join('\n')}\n`);
    const held = own.flatMap(([field, inner]) => {
      const held = classOf(inner, name, field);
      const nested = objectIn(inner);
      if (nested && held) emit(held, nested);
      return held ? [`${JSON.stringify(field)}: ${held}`] : [];
    });
    if (held.length > 0) fields.push(`${name}._fields = {${held.join(', ')}}`);
  };
  for (const [name, schema] of Object.entries(model.schemas)) {
    if (inputs.has(name)) classes.push(inputClass(typeName(name), schema));
    else emit(typeName(name), schema);
  }
  for (const { id, answer } of model.operations.filter((operation) => operation.answer.allOf)) {
    const bases = (answer.allOf ?? []).map(({ $ref = '' }) => typeName(componentOf($ref)));
    classes.push(`class ${capital(id)}Answer(${bases.join(', ')}):\n    """${bases.join(' and ')}."""\n`);
  }
  const imports = 'from typing import Any, Dict, List, Literal, Optional, TypedDict\n\nfrom .._record import Record\n';
  return [header, imports, ...classes, '', ...fields, ''].join('\n');
}

/** One class per resource, blocking and for asyncio. */
export function resourcesModule(model: Model): string {
  const byResource = Map.groupBy(model.operations, ({ resource }) => resource);
  const table = model.operations.map(
    ({ id, verb, path, keyed, query, answer, paging }) =>
      `    ${JSON.stringify(id)}: Operation(${JSON.stringify(verb)}, ${JSON.stringify(path)}, ${keyed ? 'True' : 'False'}, ${JSON.stringify(query.map(({ name }) => name))}, models.${answerClass(id, answer)}, ${paging ? `${JSON.stringify(paging.kind)}, ${JSON.stringify(paging.entries)}` : 'None, None'}),`,
  );
  const classes = [...byResource].flatMap(([resource, own]) => [
    `class ${capital(resource)}(Resource):\n    """Endpoints below \`\`client.${snakeOf(resource)}\`\`."""\n\n${own.map((operation) => methodText(operation, false)).join('\n')}`,
    `class Async${capital(resource)}(AsyncResource):\n    """Endpoints below \`\`client.${snakeOf(resource)}\`\`."""\n\n${own.map((operation) => methodText(operation, true)).join('\n')}`,
  ]);
  const all = (prefix: string, base: string) =>
    `class ${prefix}Resources:\n    """Everything that a client offers."""\n\n    def __init__(self, caller: ${base}) -> None:\n${[...byResource.keys()].map((name) => `        self.${snakeOf(name)} = ${prefix}${capital(name)}(caller)\n`).join('')}`;
  return [
    header,
    'from typing import Any, AsyncIterator, Dict, Iterator, List, Literal, Optional, Union\n',
    'from .._operation import NOT_GIVEN, CallOptions, NotGiven, Operation',
    'from .._resource import AsyncCaller, AsyncResource, Caller, Resource',
    'from . import models\n',
    `operations: Dict[str, Operation] = {\n${table.join('\n')}\n}\n`,
    ...classes.map((text) => `\n${text}`),
    `\n${all('', 'Caller')}`,
    `\n${all('Async', 'AsyncCaller')}`,
  ].join('\n');
}

function methodText(operation: Operation, isAsync: boolean): string {
  const { id, method, documentation, pathFields, query, body, answer, paging } = operation;
  const fields = [...query, ...body];
  const lines = [
    `    ${isAsync ? 'async ' : ''}def ${snakeOf(method)}(${parameters(pathFields, fields)}) -> models.${answerClass(id, answer)}:`,
    docText(documentation, '        ').trimEnd(),
    `        return ${isAsync ? 'await ' : ''}self._call(operations["${id}"], [${pathFields.join(', ')}], ${dictionary(fields)}, call)\n`,
  ];
  if (paging) {
    const others = fields.filter(({ name }) => name !== 'page' && name !== 'offset');
    const entry = `models.${typeName(componentOf(paging.entry.$ref ?? ''))}`;
    lines.push(
      `    def ${snakeOf(iteratorOf(method))}(${parameters(pathFields, others)}) -> ${isAsync ? 'Async' : ''}Iterator[${entry}]:`,
      `        """All entries of :meth:\`${snakeOf(method)}\`, page after page. Changes meanwhile can shift entries between pages."""`,
      `        return self._entries(operations["${id}"], [${pathFields.join(', ')}], ${dictionary(others)}, call)\n`,
    );
  }
  return lines.join('\n');
}

function parameters(pathFields: string[], fields: Field[]): string {
  const inOrder = [...fields.filter(({ required }) => required), ...fields.filter(({ required }) => !required)];
  const named = inOrder.map(({ name, schema, required }) => {
    const type = typeText(schema, '', name, 'models.');
    return required ? `${name}: ${type}` : `${name}: Union[${type}, None, NotGiven] = NOT_GIVEN`;
  });
  const positional = pathFields.map((name) => `${name}: str`);
  return ['self', ...positional, '*', ...named, 'call: Optional[CallOptions] = None'].join(', ');
}

function dictionary(fields: Field[]): string {
  return `{${fields.map(({ name }) => `"${name}": ${name}`).join(', ')}}`;
}

function answerClass(id: string, answer: Schema): string {
  return answer.$ref ? typeName(componentOf(answer.$ref)) : `${capital(id)}Answer`;
}

function inputClass(name: string, schema: Schema): string {
  const lines = Object.entries(schema.properties ?? {}).map(
    ([field, inner]) => `${remark(inner.description)}    ${field}: ${typeText(inner, name, field)}`,
  );
  return `class ${name}(TypedDict, total=False):\n${docText(schema.description ?? name, '    ')}${lines.join('\n')}\n`;
}

/** Components that requests hold. */
function sentComponents({ operations, schemas }: Model): Set<string> {
  const found = new Set<string>();
  const visit = (schema: Schema) => {
    const value = withoutNull(schema);
    if (value.items) visit(value.items);
    if (!value.$ref || found.has(componentOf(value.$ref))) return;
    found.add(componentOf(value.$ref));
    for (const inner of Object.values(fieldsOf(value, schemas))) visit(inner);
  };
  for (const { body } of operations) for (const { schema } of body) visit(schema);
  return found;
}

function objectIn(schema: Schema): Schema | undefined {
  const value = withoutNull(schema);
  if (value.properties) return value;
  return value.items ? objectIn(value.items) : undefined;
}

function classOf(schema: Schema, owner: string, field: string): string | undefined {
  const value = withoutNull(schema);
  if (value.$ref) return typeName(componentOf(value.$ref));
  if (value.items) return classOf(value.items, owner, field);
  return value.properties ? nestedName(owner, field) : undefined;
}

function nestedName(owner: string, field: string): string {
  return owner + field.split('_').map(capital).join('');
}

function typeText(schema: Schema, owner: string, field: string, prefix = ''): string {
  const text = (inner: Schema) => typeText(inner, owner, field, prefix);
  if (schema.$ref) return prefix + typeName(componentOf(schema.$ref));
  if (schema.anyOf) return `Optional[${text(withoutNull(schema))}]`;
  if (schema.enum) return `Literal[${schema.enum.map((value) => JSON.stringify(value)).join(', ')}]`;
  if (Array.isArray(schema.type)) {
    const [type] = schema.type.filter((name) => name !== 'null');
    return type === undefined ? 'None' : `Optional[${text({ ...schema, type })}]`;
  }
  switch (schema.type) {
    case 'string':
      return 'str';
    case 'boolean':
      return 'bool';
    case 'null':
      return 'None';
    case 'integer':
      return 'int';
    case 'number':
      return 'float';
    case 'array':
      return `List[${text(schema.items ?? {})}]`;
    case 'object': {
      if (schema.properties) return prefix + nestedName(owner, field);
      const { additionalProperties: inner } = schema;
      return `Dict[str, ${typeof inner === 'object' ? text(inner) : 'Any'}]`;
    }
    default:
      return 'Any';
  }
}

function docText(text: string, indent: string): string {
  const safe = text.replaceAll('\\', '\\\\').replaceAll('"""', "'''").replaceAll('\n', `\n${indent}`);
  return `${indent}"""${safe}${safe.endsWith('"') ? ' ' : ''}"""\n`;
}

function remark(text: string | undefined): string {
  return text ? `    #: ${text.replaceAll('\n', ' ')}\n` : '';
}
