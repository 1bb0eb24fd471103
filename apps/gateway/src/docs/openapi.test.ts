import { readFileSync } from 'node:fs';
import { errorKinds, isErrorCode } from '@claude-cli/shared/errors';
import { describe, expect, test } from '@jest/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { loadContract } from '../contract/contract.ts';
import { type Endpoint, endpointsOf } from '../contract/endpoints.ts';
import { version } from '../version.ts';
import { openapiOf } from './openapi.ts';
import { openapiText, snapshot } from './snapshot.ts';

const contract = loadContract();
const endpoints = endpointsOf(contract);
const written = JSON.stringify(openapiOf(contract, endpoints, '1.0.0'));
// biome-ignore lint/suspicious/noExplicitAny: a document is walked, not typed
const document: any = JSON.parse(written.replaceAll('"#/components/', '"openapi.json#/components/'));
const operationOf = ({ path, method }: Endpoint) => document.paths[path][method.toLowerCase()];
const each = endpoints.map((endpoint) => [endpoint.name, endpoint] as const);

const ajv = new Ajv2020({ strict: false, logger: false, validateFormats: true });
addFormats.default(ajv);
// Known by a name of its own, so that what is referred to is compiled once.
ajv.addSchema({ components: { schemas: document.components.schemas } }, 'openapi.json');

function problemsOf(schema: Record<string, unknown>, value: unknown): string {
  return ajv.validate(schema, value) ? '' : ajv.errorsText();
}

function nodesOf(value: unknown): Record<string, unknown>[] {
  if (typeof value !== 'object' || value === null) return [];
  return [value as Record<string, unknown>, ...Object.values(value).flatMap(nodesOf)];
}

// biome-ignore lint/suspicious/noExplicitAny: see above
function resolve(node: any): any {
  if (typeof node?.$ref !== 'string') return node;
  const steps: string[] = node.$ref.replace(/^.*#\//, '').split('/');
  return steps.reduce((target, step) => target?.[step], document);
}

describe('the OpenAPI document', () => {
  test('is valid OpenAPI 3.1', async () => {
    const { valid, errors } = await new Validator().validate(JSON.parse(written));
    expect([valid, errors]).toEqual([true, undefined]);
  });

  test('is the committed docs/openapi.json', () => {
    const committed = readFileSync(snapshot, 'utf8');
    if (committed === openapiText(contract, version)) return;
    throw new Error(
      'docs/openapi.json tells another contract: write it anew by `npm run openapi`, and look at what changed',
    );
  });

  test('has an operation for each endpoint, with a unique id and a tag that is explained', () => {
    const tags: string[] = document.tags.map(({ name }: { name: string }) => name);
    for (const endpoint of endpoints) {
      const operation = operationOf(endpoint);
      expect(operation.operationId).toBe(endpoint.rpc);
      expect(tags).toContain(operation.tags[0]);
    }
    expect(new Set(endpoints.map(({ rpc }) => rpc)).size).toBe(endpoints.length);
    for (const { description } of document.tags) expect(description).toMatch(/\.$/);
  });

  test('refers only to what it holds, and holds nothing that nothing refers to', () => {
    const refs = new Set(nodesOf(document).flatMap(({ $ref }) => (typeof $ref === 'string' ? [$ref] : [])));
    for (const $ref of refs) expect([$ref, typeof resolve({ $ref })]).toEqual([$ref, 'object']);
    for (const kind of ['schemas', 'responses', 'headers', 'parameters']) {
      for (const name of Object.keys(document.components[kind]))
        expect(refs).toContain(`openapi.json#/components/${kind}/${name}`);
    }
  });

  test('gives examples of fields that their own schemas accept', () => {
    const withExamples = nodesOf(document).filter(({ examples }) => Array.isArray(examples));
    expect(withExamples.length).toBeGreaterThan(100);
    for (const { examples, ...schema } of withExamples) {
      for (const example of examples as unknown[])
        expect([example, problemsOf(schema, example)]).toEqual([example, '']);
    }
  });

  test.each(each)('%s: every parameter and header has a description and an example that fits', (_name, endpoint) => {
    const operation = operationOf(endpoint);
    for (const parameter of operation.parameters.map(resolve)) {
      const example = parameter.example ?? parameter.schema.examples?.[0];
      expect([parameter.name, parameter.description ?? '']).not.toEqual([parameter.name, '']);
      expect([parameter.name, problemsOf(parameter.schema, example)]).toEqual([parameter.name, '']);
    }
    for (const answer of Object.values(operation.responses).map(resolve)) {
      expect(Object.keys(answer.headers)).toEqual(expect.arrayContaining(['X-Request-ID', 'X-RateLimit-Remaining']));
      for (const header of Object.values(answer.headers).map(resolve)) {
        expect(problemsOf(header.schema, header.example)).toBe('');
      }
    }
  });

  test.each(each)('%s: the examples of body and answer fit their schemas', (_name, endpoint) => {
    const operation = operationOf(endpoint);
    if (operation.requestBody) {
      const { schema, example } = operation.requestBody.content['application/json'];
      expect(problemsOf(schema, example)).toBe('');
    }
    const type = endpoint.streams ? 'text/event-stream' : 'application/json';
    const { schema, example } = operation.responses[endpoint.status].content[type];
    expect(problemsOf(schema, example)).toBe('');
  });

  test.each(each)('%s: every error has the status of its code, and an example that fits', (_name, endpoint) => {
    const documented: string[] = [];
    for (const [status, answer] of Object.entries(operationOf(endpoint).responses)) {
      if (Number(status) < 400) continue;
      const { schema, examples } = resolve(answer).content['application/json'];
      const codes: string[] = schema.allOf[1].properties.error.properties.code.enum;
      expect(Object.keys(examples)).toEqual(codes);
      for (const code of codes) {
        if (!isErrorCode(code)) throw new Error(`${code} is no error code`);
        expect([code, errorKinds[code].http]).toEqual([code, Number(status)]);
        expect(problemsOf(schema, resolve(examples[code]).value)).toBe('');
      }
      documented.push(...codes);
    }
    expect(documented).toEqual(expect.arrayContaining([...endpoint.errors]));
    expect(new Set(documented).size).toBe(documented.length);
  });

  test('tells which operations need a token, and what is answered without one', () => {
    const login = document.paths['/api/auth/login'].post;
    const tasks = document.paths['/api/tasks/'].get;
    expect([login.security, tasks.security]).toEqual([[], [{ bearer: [] }]]);
    expect(tasks.responses['401']).toEqual({ $ref: 'openapi.json#/components/responses/Unidentified' });
    expect(document.paths['/api/health'].get.responses).not.toHaveProperty('401');
  });

  test('tells where an Idempotency-Key is taken and when to come back', () => {
    const key = { $ref: 'openapi.json#/components/parameters/IdempotencyKey' };
    expect(document.paths['/api/tasks/'].post.parameters).toContainEqual(key);
    expect(document.paths['/api/tasks/'].get.parameters).not.toContainEqual(key);
    expect(document.paths['/api/auth/login'].post.parameters).not.toContainEqual(key);
    for (const name of ['TooManyRequests', 'Unavailable', 'UnavailableForWrites', 'KeyInUse']) {
      expect(document.components.responses[name].headers).toHaveProperty('Retry-After');
    }
  });

  test('hides what callers cannot send, and keeps our own keywords to ourselves', () => {
    const text = JSON.stringify(document);
    for (const word of ['cleared_fields', 'freeForm', '"text":true', '"format":"duration"', '"format":"byte-size"']) {
      expect(text).not.toContain(word);
    }
  });

  test('shows secrets of answers, and marks only those of requests as never answered', () => {
    expect(document.components.schemas.CreatedApiKey.properties.key).not.toHaveProperty('writeOnly');
    const login = document.paths['/api/auth/login'].post.requestBody.content['application/json'].schema;
    expect(login.properties.password).toMatchObject({ writeOnly: true });
  });
});
