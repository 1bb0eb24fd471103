import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import type { Contract, Rules } from '../contract/contract.ts';
import { acceptedFields, type Endpoint } from '../contract/endpoints.ts';
import { exampleId, exampleTime, formatted, idFor, moments, numbers, textFor, timeFor } from './example-values.ts';

type Values = Record<string, unknown>;

/** A request of an endpoint, in the parts that callers send. */
export interface RequestExample {
  path: Values;
  query: Values;
  /** undefined where nothing can be sent. */
  body: Values | undefined;
}

/** Values that fields have in a request, for the answer to repeat. */
type Sent = ReadonlyMap<string, { field: DescField; value: unknown }>;

/**
 * Examples of requests and answers, made of the examples that the contract gives its fields. What has none takes a value that
 * its name, its format or its type asks for. The same contract always gives the same examples.
 */
export class Examples {
  readonly #contract: Contract;
  readonly #said = new Map<string, { field: DescField; value: unknown }>();

  constructor(contract: Contract) {
    this.#contract = contract;
    const files = contract.services.map(({ file }) => file);
    for (const { messages } of files) for (const message of messages) this.#learn(message);
    for (const { messages } of files)
      for (const { nestedMessages } of messages) nestedMessages.forEach(this.#learn, this);
  }

  /** What a caller may send: the required fields, and those for which the contract has an example. */
  request(endpoint: Endpoint): RequestExample {
    const inPath = new Set(endpoint.pathParameters);
    const fields = acceptedFields(endpoint.request);
    const sent = (names: readonly DescField[]) =>
      Object.fromEntries(names.filter((field) => this.#isShown(field)).map((field) => [field.name, this.input(field)]));
    const others = fields.filter(({ name }) => !inPath.has(name));
    const path = fields.filter(({ name }) => inPath.has(name));
    return {
      path: Object.fromEntries(path.map((field) => [field.name, this.input(field)])),
      query: endpoint.input === 'query' ? sent(others) : {},
      body: endpoint.input === 'body' && others.length > 0 ? sent(others) : undefined,
    };
  }

  /** A value that one field of a request accepts. */
  input(field: DescField): unknown {
    const rules = this.#contract.rulesOf(field);
    if (rules.example) return JSON.parse(rules.example);
    if (rules.default) return JSON.parse(rules.default);
    if (field.fieldKind === 'map') return {};
    const value = field.message ? this.#inputMessage(field.message) : scalarFor(field, rules);
    return field.fieldKind === 'list' ? [value] : value;
  }

  /** What the endpoint answers to {@link request}, without the envelope. */
  answer(endpoint: Endpoint): Values {
    const sent: Sent = new Map(
      acceptedFields(endpoint.request)
        .filter((field) => !this.#contract.rulesOf(field).secret && this.#isRepeated(field, endpoint))
        .map((field) => [field.name, { field, value: this.input(field) }]),
    );
    return { ...this.#output(endpoint.response, sent), ...moments[endpoint.name] };
  }

  #learn(message: DescMessage): void {
    for (const field of message.fields) {
      const { example, secret } = this.#contract.rulesOf(field);
      const key = keyOf(field);
      if (example && !secret && isLasting(field) && !this.#said.has(key))
        this.#said.set(key, { field, value: JSON.parse(example) });
    }
  }

  /** Whether a field is part of the example of a request. Lists of messages must ask for it, so that examples stay short. */
  #isShown(field: DescField): boolean {
    const { required, example } = this.#contract.rulesOf(field);
    if (required || example) return true;
    const inner = field.fieldKind === 'message' && isOurs(field.message) ? field.message : undefined;
    return inner?.fields.some((each) => this.#isShown(each)) ?? false;
  }

  #isRepeated(field: DescField, endpoint: Endpoint): boolean {
    return this.#isShown(field) || endpoint.pathParameters.includes(field.name) || hasDefault(this.#contract, field);
  }

  #inputMessage(message: DescMessage): unknown {
    if (message.typeName === 'google.protobuf.Timestamp') return exampleTime;
    if (!isOurs(message)) return {};
    const shown = acceptedFields(message).filter((field) => this.#isShown(field));
    return Object.fromEntries(shown.map((field) => [field.name, this.input(field)]));
  }

  #output(message: DescMessage, sent: Sent): Values {
    return Object.fromEntries(message.fields.map((field) => [field.name, this.#outputOf(field, sent)]));
  }

  #outputOf(field: DescField, sent: Sent): unknown {
    const { example } = this.#contract.rulesOf(field);
    if (example) return JSON.parse(example);
    const known = [sent.get(field.name), this.#said.get(keyOf(field))].find(
      (candidate) => candidate && isSameKind(candidate.field, field),
    );
    if (known) return known.value;
    if (field.fieldKind === 'map') return {};
    const ours = field.message && isOurs(field.message) ? this.#output(field.message, sent) : undefined;
    const value =
      ours ?? idFor(field.name, field.parent.name) ?? (field.proto.proto3Optional ? null : outputFor(field));
    return field.fieldKind === 'list' ? [value] : value;
  }
}

/** What is said about a field of a file is said about those of its name and kind in the same file. */
function keyOf(field: DescField): string {
  return `${field.parent.file.name} ${field.name}`;
}

/** Whether the value of one field can stand in another. */
function isSameKind(one: DescField, other: DescField): boolean {
  return (
    one.fieldKind === other.fieldKind &&
    one.scalar === other.scalar &&
    one.message?.typeName === other.message?.typeName &&
    one.enum?.typeName === other.enum?.typeName
  );
}

/** Numbers and states differ by the moment: what is said about one says nothing about others of its name. */
function isLasting(field: DescField): boolean {
  return field.fieldKind !== 'scalar' ? field.fieldKind !== 'enum' : field.scalar === ScalarType.STRING;
}

function hasDefault(contract: Contract, field: DescField): boolean {
  return contract.rulesOf(field).default !== '';
}

function isOurs(message: DescMessage | undefined): message is DescMessage {
  return message !== undefined && !message.typeName.startsWith('google.');
}

function scalarFor(field: DescField, { format, minimum }: Rules): unknown {
  if (field.enum) return field.enum.values[0]?.name;
  const { name, parent } = field;
  if (field.scalar === ScalarType.BOOL) return true;
  if (field.scalar === ScalarType.STRING) {
    if (format === 'uuid') return idFor(name, parent.name) ?? exampleId(name);
    return formatted[format] ?? textFor(name) ?? name;
  }
  return numbers[name] ?? minimum ?? 0;
}

/** The value of a field that an answer always has. */
function outputFor({ name, message, enum: states, scalar }: DescField): unknown {
  if (message) return message.typeName === 'google.protobuf.Timestamp' ? timeFor(name) : {};
  if (states) return states.values[0]?.name;
  if (scalar === ScalarType.BOOL) return false;
  // A test fails when a text has nothing but its own name to tell.
  return scalar === ScalarType.STRING ? (textFor(name) ?? name) : (numbers[name] ?? 0);
}
