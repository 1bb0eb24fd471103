import { expect, test } from '@jest/globals';
import { readModel } from './document.ts';
import { camelOf, methodOf, resourceOf } from './naming.ts';

const { operations } = readModel(new URL('../../../docs/openapi.json', import.meta.url));

test('every endpoint has a method of its own, and all resources are there', () => {
  const names = operations.map(({ resource, method }) => `${resource}.${method}`);
  expect(new Set(names).size).toBe(names.length);
  const resources = [
    'auth',
    'users',
    'apiKeys',
    'projects',
    'members',
    'tasks',
    'commands',
    'sessions',
    'queues',
    'system',
  ];
  expect(operations.map(({ resource }) => resource)).toEqual(expect.arrayContaining([...resources, 'health']));
  const reference = ['create', 'list', 'get', 'update', 'delete', 'execute', 'cancel', 'retry', 'bulk', 'history'];
  expect(names).toEqual(expect.arrayContaining(reference.map((method) => `tasks.${method}`)));
});

test('an endpoint that nobody has named gets its name by rule', () => {
  expect([resourceOf('/api/webhooks/{id}/deliveries'), methodOf('createWebhook', '/api/webhooks/')]).toEqual([
    'webhooks',
    'create',
  ]);
  expect(methodOf('redeliverDelivery', '/api/webhooks/{id}/deliveries')).toBe('redeliverDelivery');
});

test('a name that would not come back from camel case is refused', () => {
  expect(() => camelOf('maxCPU')).toThrow('camel case');
});
