import { describe, expect, test } from '@jest/globals';
import { loadContract } from '../contract/contract.ts';
import { endpointsOf } from '../contract/endpoints.ts';
import { formats } from '../contract/formats.ts';
import { requestReaderOf } from '../contract/request.ts';
import { validatorsOf } from '../contract/validator.ts';
import { exampleId, formatted, moments } from './example-values.ts';
import { Examples } from './examples.ts';

const contract = loadContract();
const endpoints = endpointsOf(contract);
const examples = new Examples(contract);
const compile = validatorsOf(contract);
const each = endpoints.map((endpoint) => [endpoint.name, endpoint] as const);

function endpoint(name: string) {
  const found = endpoints.find((candidate) => candidate.name === name);
  if (!found) throw new Error(`no endpoint ${name}`);
  return found;
}

/** Texts that tell nothing but the name of their field. */
function emptyTexts(value: unknown, name = ''): string[] {
  if (value === name && name !== '') return [name];
  if (Array.isArray(value)) return value.flatMap((item) => emptyTexts(item, name));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => emptyTexts(inner, key));
}

describe('examples', () => {
  test.each(each)('the request of %s is one that the gateway accepts', (_name, each) => {
    const { path, query, body } = examples.request(each);
    const read = requestReaderOf(each, compile(each.request));
    const pairs = (values: object) =>
      Object.entries(values).map(([name, value]): [string, string] => [name, String(value)]);
    const text = new URLSearchParams(pairs(query)).toString();
    const params = Object.fromEntries(pairs(path));
    expect(() => read({ params, query: text, body: structuredClone(body) })).not.toThrow();
  });

  test.each(each)(
    'those of %s tell something in every text: the contract has an example where names do not',
    (_name, each) => {
      expect(emptyTexts([examples.request(each), examples.answer(each)])).toEqual([]);
    },
  );

  test('of an answer repeat what the request said, and name the same thing by the same id', () => {
    const create = endpoint('TaskService.CreateTask');
    const { body } = examples.request(create);
    const answer = examples.answer(create);
    expect(answer).toMatchObject({ ...body, status: 'pending', id: exampleId('task') });
    expect(examples.request(endpoint('TaskService.GetTask')).path).toEqual({ task_id: answer.id });
    expect(examples.answer(endpoint('ProjectService.CreateProject')).id).toBe(body?.project_id);
  });

  test('never show a password in an answer', () => {
    const answers = JSON.stringify(endpoints.map((each) => examples.answer(each)));
    expect(answers).not.toContain('correct horse');
  });

  test('are the same each time', () => {
    const again = new Examples(contract);
    for (const each of endpoints) expect(again.answer(each)).toEqual(examples.answer(each));
  });

  test('know every format, and only endpoints that there are', () => {
    expect(Object.keys(formatted).toSorted()).toEqual(Object.keys(formats).toSorted());
    for (const name of Object.keys(moments)) expect(endpoints.map((each) => each.name)).toContain(name);
  });
});
