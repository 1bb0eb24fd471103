import { expect, test } from '@jest/globals';
import { type Manifest, problemsOf } from './schemas.ts';

const service = (spec: object): Manifest => ({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'a' }, spec });

test('an object that follows the schema of its kind has no problems', async () => {
  expect(await problemsOf(service({ selector: { any: 'label' }, ports: [{ name: 'grpc', port: 50051 }] }))).toEqual([]);
});

test('a wrong type, a missing field and a field that does not exist are told with their place', async () => {
  expect(await problemsOf(service({ ports: [{ port: 'x' }] }))).toEqual([
    expect.stringMatching(/ports.*port.*integer/),
  ]);
  expect(await problemsOf(service({ ports: [{}] }))).toEqual([expect.stringMatching(/ports.*port/)]);
  expect(await problemsOf(service({ ports: [{ port: 1, targetport: 2 }], clusterIp: 'None' }))).toEqual([
    '/spec/ports/0/targetport: no such field',
    '/spec/clusterIp: no such field',
  ]);
  expect(await problemsOf({ ...service({}), sepc: {} })).toEqual(['/sepc: no such field']);
});

test('a kind without a schema is a problem', async () => {
  expect(await problemsOf({ ...service({}), kind: 'Servce' })).toEqual(['no schema for v1/Servce']);
});
