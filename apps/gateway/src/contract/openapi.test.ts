import { describe, expect, test } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { loadContract } from './contract.ts';
import { endpointsOf } from './endpoints.ts';
import { openapiOf } from './openapi.ts';

const contract = loadContract();
const endpoints = endpointsOf(contract);
// biome-ignore lint/suspicious/noExplicitAny: a document is walked, not typed
const document: any = JSON.parse(JSON.stringify(openapiOf(contract, endpoints, '1.0.0')));

function nodesOf(value: unknown): Record<string, unknown>[] {
  if (typeof value !== 'object' || value === null) return [];
  return [value as Record<string, unknown>, ...Object.values(value).flatMap(nodesOf)];
}

describe('the OpenAPI document', () => {
  test('has an operation for each endpoint, with a unique id', () => {
    for (const { path, method, rpc } of endpoints) {
      expect(document.paths[path][method.toLowerCase()]).toMatchObject({ operationId: rpc });
    }
    expect(new Set(endpoints.map(({ rpc }) => rpc)).size).toBe(endpoints.length);
  });

  test('refers only to what it holds', () => {
    for (const { $ref } of nodesOf(document)) {
      if (typeof $ref !== 'string') continue;
      const target = $ref
        .slice(2)
        .split('/')
        .reduce((node, step) => node?.[step], document);
      expect([$ref, typeof target]).toEqual([$ref, 'object']);
    }
  });

  test('gives examples that its own schemas accept', () => {
    const ajv = new Ajv2020({ strict: false });
    addFormats.default(ajv);
    const withExamples = nodesOf(document).filter(({ examples }) => Array.isArray(examples));
    expect(withExamples.length).toBeGreaterThan(20);
    for (const { examples, ...schema } of withExamples) {
      for (const example of examples as unknown[]) {
        expect([example, ajv.validate({ ...schema, components: document.components }, example)]).toEqual([
          example,
          true,
        ]);
      }
    }
  });

  test('hides what callers cannot send, and keeps our own keywords to ourselves', () => {
    const text = JSON.stringify(document);
    for (const word of ['cleared_fields', 'freeForm', '"text":true', '"format":"duration"']) {
      expect(text).not.toContain(word);
    }
  });

  test('tells which operations need a token', () => {
    expect(document.paths['/api/auth/login'].post.security).toEqual([]);
    expect(document.paths['/api/tasks/'].get.security).toEqual([{ bearer: [] }]);
  });
});
