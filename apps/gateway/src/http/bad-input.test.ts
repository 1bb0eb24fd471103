import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { loadContract } from '../contract/contract.ts';
import { acceptedFields, type Endpoint, endpointsOf } from '../contract/endpoints.ts';
import { Examples } from '../docs/examples.ts';
import { ask, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';
import { listViolationsOf, type Violation, violationsOf } from '../testing/violations.ts';

const contract = loadContract();
const examples = new Examples(contract);
const bodyLimit = 300_000;

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ BODY_LIMIT_BYTES: String(bodyLimit) });
});
afterAll(async () => gateway[Symbol.asyncDispose]());

/** A request with one thing wrong, and what must be said about it. */
interface Attempt extends Violation {
  /** Dotted path, as callers know it. */
  field: string;
  /** Path of the value in the body. */
  place: (string | number)[];
}

/** Every wrong value for every field of a message, at any depth. */
function attemptsOf(message: DescMessage, skipped: readonly string[], place: (string | number)[] = []): Attempt[] {
  return acceptedFields(message)
    .filter(({ name }) => !skipped.includes(name))
    .flatMap((field) => attemptsOfField(field, [...place, field.name]));
}

function attemptsOfField(field: DescField, place: (string | number)[]): Attempt[] {
  const rules = contract.rulesOf(field);
  const at = (where: (string | number)[], violations: Violation[]) =>
    violations.map((violation) => ({ ...violation, field: where.join('.'), place: where }));
  const inner = (where: (string | number)[]) =>
    field.message && !field.message.typeName.startsWith('google.') ? attemptsOf(field.message, [], where) : [];
  const attempts: Attempt[] = [];
  if (rules.required) {
    const missing = { what: 'missing', value: undefined, code: 'VALIDATION_REQUIRED_FIELD' } as const;
    attempts.push(...at(place, [missing, { ...missing, what: 'null', value: null }]));
  }
  if (field.fieldKind === 'list') {
    const [item] = [examples.input(field)].flat();
    const first = [...place, 0];
    return [
      ...attempts,
      ...at(place, listViolationsOf(rules, item)),
      ...at(first, violationsOf(field, rules)),
      ...inner(first),
    ];
  }
  if (field.fieldKind === 'map') {
    return [...attempts, ...at(place, [{ what: 'another type', value: 'text', code: 'VALIDATION_ERROR' }])];
  }
  return [...attempts, ...at(place, violationsOf(field, rules)), ...inner(place)];
}

/** The body with one value put into its place; what leads there is made of examples. */
function withValue(body: Record<string, unknown>, request: DescMessage, { place, value }: Attempt): unknown {
  const copy = structuredClone(body);
  let target: Record<string | number, unknown> = copy;
  let message: DescMessage | undefined = request;
  for (const [index, step] of place.entries()) {
    if (index === place.length - 1) {
      target[step] = value;
      break;
    }
    const field: DescField | undefined =
      typeof step === 'string' ? message?.fields.find(({ name }) => name === step) : undefined;
    if (field) {
      target[step] ??= examples.input(field);
      message = field.message;
    }
    if (typeof step === 'number') target[step] ??= {};
    target = target[step] as Record<string | number, unknown>;
  }
  return copy;
}

function pathOf({ path }: Endpoint, values: Record<string, unknown>): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name) => encodeURIComponent(String(values[name])));
}

test('there is enough to get wrong', () => {
  const counts = endpointsOf(contract).map(({ request }) => attemptsOf(request, []).length);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(800);
});

const endpoints = endpointsOf(contract).map((endpoint) => [endpoint.name, endpoint] as const);

describe('every wrong value of every field is refused by name, with the code for what is wrong', () => {
  test.each(endpoints.filter(([, { input }]) => input === 'body'))('%s', async (_name, endpoint) => {
    const { path, body = {} } = examples.request(endpoint);
    const url = pathOf(endpoint, path);
    const attempts = attemptsOf(endpoint.request, endpoint.pathParameters);
    for (const attempt of attempts) {
      const sent = withValue(body, endpoint.request, attempt);
      const { status, json } = await ask(gateway, endpoint.method, url, { body: JSON.stringify(sent) });
      expect({ what: `${attempt.field}: ${attempt.what}`, status, error: json.error }).toMatchObject({
        what: `${attempt.field}: ${attempt.what}`,
        status: 422,
        error: { code: attempt.code, details: { field: expect.stringMatching(startOf(attempt.field)) } },
      });
    }
    const unknown = await ask(gateway, endpoint.method, url, { body: { ...body, unknown_field: 1 } });
    expect(unknown.json.error).toMatchObject({ code: 'VALIDATION_ERROR', details: { field: 'unknown_field' } });
    const huge = await ask(gateway, endpoint.method, url, { body: JSON.stringify({ x: 'x'.repeat(bodyLimit) }) });
    expect([huge.status, huge.json.error.code]).toEqual([413, 'REQUEST_TOO_LARGE']);
  });

  test.each(endpoints.filter(([, { input }]) => input === 'query'))('%s', async (_name, endpoint) => {
    const { path, query } = examples.request(endpoint);
    const url = pathOf(endpoint, path);
    const attempts = attemptsOf(endpoint.request, endpoint.pathParameters).filter(canBeAsked);
    for (const attempt of attempts) {
      const [name = ''] = attempt.place as string[];
      const others = Object.entries(query).filter(([other]) => other !== name);
      const text = new URLSearchParams(others.map(([key, other]): [string, string] => [key, String(other)]));
      if (attempt.value !== undefined) text.append(name, String(attempt.value));
      const { status, json } = await ask(gateway, endpoint.method, `${url}?${text}`);
      expect({ what: `${name}: ${attempt.what}`, status, error: json.error }).toMatchObject({
        what: `${name}: ${attempt.what}`,
        status: 422,
        error: { code: attempt.code, details: { field: expect.stringMatching(startOf(name)) } },
      });
    }
    for (const wrong of ['unknown_field=1', 'constructor=1', '__proto__=1', 'page[$gt]=1', '$where=1']) {
      const { status, json } = await ask(gateway, endpoint.method, `${url}?${wrong}`);
      expect([wrong, status, json.error.code]).toEqual([wrong, 422, 'VALIDATION_ERROR']);
    }
  });

  test.each(endpoints.filter(([, { pathParameters }]) => pathParameters.length > 0))(
    'ids in the path of %s',
    async (_name, endpoint) => {
      const { path } = examples.request(endpoint);
      for (const name of endpoint.pathParameters) {
        for (const wrong of ['nonsense', '{"$ne":""}', '0', '../../etc/passwd', "' or '1'='1"]) {
          const { status, json } = await ask(gateway, endpoint.method, pathOf(endpoint, { ...path, [name]: wrong }), {
            ...(endpoint.input === 'body' && { body: examples.request(endpoint).body ?? {} }),
          });
          expect([name, wrong, status, json.error.code, json.error.details.field]).toEqual([
            name,
            wrong,
            422,
            'VALIDATION_INVALID_FORMAT',
            name,
          ]);
        }
      }
    },
  );
});

/** Whether a query can say this: it knows texts only, and of a list only its items. */
function canBeAsked({ what, value, place }: Attempt): boolean {
  if (what.startsWith('another type')) return typeof value === 'string';
  return place.length < 3 && !what.includes('items') && what !== 'null' && (place.length === 1 || value !== '');
}

/** A free-form object is named as a whole, or by what is wrong inside it. */
function startOf(field: string): RegExp {
  return new RegExp(`^${field.replaceAll('.', '\\.')}(\\.|$)`);
}
