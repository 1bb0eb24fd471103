import { describe, expect, test } from '@jest/globals';
import { loadContract } from './contract.ts';
import { endpointsOf } from './endpoints.ts';
import { serializerOf } from './serializer.ts';

const endpoints = endpointsOf(loadContract());
const meta = { timestamp: '2025-07-30T12:00:00.000Z', request_id: 'r-1', version: '1.0.0' };

function serialize(name: string, data: unknown) {
  const endpoint = endpoints.find((candidate) => candidate.name === name);
  if (!endpoint) throw new Error(`no endpoint ${name}`);
  return JSON.parse(serializerOf(endpoint)({ data, error: null, meta }));
}

describe('an answer', () => {
  test('is enveloped', () => {
    const { data: _, ...envelope } = serialize('SystemService.GetHealth', { status: 'healthy' });
    expect(envelope).toEqual({ error: null, meta });
  });

  test('holds null, empty lists and empty maps where nothing is set', () => {
    const { data } = serialize('TaskService.GetTask', { id: 'x', assigned_to: undefined });
    expect(data).toMatchObject({
      id: 'x',
      assigned_to: null,
      completed_at: null,
      metadata: null,
      tags: [],
      dependencies: [],
      history: [],
    });
  });

  test('holds free-form data as it is', () => {
    const metadata = { a: [1, null, { b: 'x' }], c: true };
    const change = { old_value: null, new_value: ['x'], action: 'updated', user_id: 'u' };
    const { data } = serialize('TaskService.GetTask', { metadata, history: [change] });
    expect(data.metadata).toEqual(metadata);
    expect(data.history).toEqual([{ ...change, timestamp: null }]);
  });

  test('leaves out what is not declared', () => {
    expect(serialize('TaskService.GetTask', { id: 'x', password_hash: 'y' }).data).not.toHaveProperty('password_hash');
  });

  test('holds nested messages with null where nothing is set', () => {
    const dependency = { id: 'd', depends_on_task_id: 'x', dependency_type: 'blocks', task: undefined };
    const { data } = serialize('TaskService.GetTask', { dependencies: [dependency] });
    expect(data.dependencies).toEqual([{ ...dependency, task: null }]);
  });
});
