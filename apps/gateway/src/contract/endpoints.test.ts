import { describe, expect, test } from '@jest/globals';
import { commentOf } from './comments.ts';
import { loadContract } from './contract.ts';
import { acceptedFields, endpointsOf } from './endpoints.ts';

const contract = loadContract();
const endpoints = endpointsOf(contract);

describe('the endpoints of the contract', () => {
  test('are the RPCs with a rest option, and no others', () => {
    const withRest = contract.services.flatMap(({ methods }) => methods.filter((method) => contract.restOf(method)));
    expect(endpoints).toHaveLength(withRest.length);
    const internal = contract.services.flatMap(({ methods }) => methods).filter((method) => !withRest.includes(method));
    expect(internal.map(({ name }) => name)).toEqual(expect.arrayContaining(['CheckAccess', 'Diagnose']));
    for (const { name } of internal) expect(endpoints.map(({ name }) => name.split('.')[1])).not.toContain(name);
  });

  test.each(endpoints.map((endpoint) => [endpoint.name, endpoint] as const))(
    '%s says who may call it and what it does, and so does each of its fields',
    (_name, endpoint) => {
      expect(['everyone', 'signed_in', 'read', 'write', 'execute', 'admin']).toContain(endpoint.access);
      expect(endpoint.comment).toMatch(/^[A-Z].*\.$/);
      expect(commentOf(endpoint.request)).not.toBe('');
      for (const field of [...endpoint.request.fields, ...endpoint.response.fields]) {
        expect([field.name, commentOf(field)]).not.toEqual([field.name, '']);
      }
    },
  );

  test('read what a task is created from', () => {
    const endpoint = endpoints.find(({ name }) => name === 'TaskService.CreateTask');
    expect(endpoint).toMatchObject({
      rpc: 'createTask',
      owner: 'task-service',
      method: 'POST',
      path: '/api/tasks/',
      pathParameters: [],
      input: 'body',
      status: 201,
      access: 'write',
      paginated: false,
      deadlineMs: 10_000,
      comment: 'Create a task in a project.',
    });
  });

  test('put fixed paths before those with parameters', () => {
    const paths = endpoints.map(({ path }) => path);
    expect(paths.indexOf('/api/commands/running')).toBeLessThan(paths.indexOf('/api/commands/{command_id}/status'));
    expect(paths.indexOf('/api/tasks/')).toBeLessThan(paths.indexOf('/api/tasks/{task_id}'));
  });

  test('never accept cleared_fields from callers', () => {
    const update = endpoints.find(({ name }) => name === 'TaskService.UpdateTask');
    expect(update?.request.fields.map(({ name }) => name)).toContain('cleared_fields');
    expect(acceptedFields(update?.request ?? fail()).map(({ name }) => name)).not.toContain('cleared_fields');
  });

  test('are refused when two of them answer the same URLs', () => {
    const twice = { ...contract, services: [...contract.services, ...contract.services] };
    expect(() => endpointsOf(twice)).toThrow(/has the method and the path of/);
  });

  test.each([
    [{ access: 'unspecified' }, /the access is not specified/],
    [{ path: '/api/things/{nothing}' }, /the path parameter nothing is no field/],
    [{ path: '/things' }, /must start with \/api\//],
    [{ method: 'FETCH' }, /the method FETCH is not supported/],
    [{ errors: ['TASK_LOST'] }, /TASK_LOST is no error code/],
    [{ status: 204 }, /204 is no status with an answer/],
    [{ paginated: true }, /needs the fields page and page_size/],
  ])('are refused when one contradicts itself: %j', (change, problem) => {
    const broken = {
      ...contract,
      restOf: (method: Parameters<typeof contract.restOf>[0]) => {
        const rest = contract.restOf(method);
        return rest && method.name === 'GetTask' ? { ...rest, ...change } : rest;
      },
    };
    expect(() => endpointsOf(broken)).toThrow(problem);
  });
});

function fail(): never {
  throw new Error('the endpoint is missing');
}
