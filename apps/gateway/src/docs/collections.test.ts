import { describe, expect, test } from '@jest/globals';
import { Ajv } from 'ajv';
import { loadContract } from '../contract/contract.ts';
import { endpointsOf } from '../contract/endpoints.ts';
import { collectionOf } from './collection.ts';
import { insomniaOf } from './insomnia.ts';
import { postmanOf, postmanSchema } from './postman.ts';
import { tour } from './tour.ts';

const contract = loadContract();
const endpoints = endpointsOf(contract);
const collection = collectionOf(contract, endpoints);
const requests = collection.folders.flatMap((folder) => folder.requests);
const strings = (...names: string[]) => Object.fromEntries(names.map((name) => [name, { type: 'string' }]));
const listOf = (items: object) => ({ type: 'array', items });
const object = (properties: object, required = Object.keys(properties)) => ({ type: 'object', properties, required });

/** What Postman's schema 2.1.0 asks of the parts that we write, without those that we do not. */
const postmanRules = {
  definitions: {
    auth: object({ type: { enum: ['bearer', 'noauth'] }, bearer: listOf(object(strings('key'))) }, ['type']),
    event: object({ listen: { enum: ['test', 'prerequest'] }, script: object({ exec: listOf({ type: 'string' }) }) }),
    pair: object({ ...strings('key', 'value', 'description'), disabled: { type: 'boolean' } }, ['key', 'value']),
    url: object({
      raw: { type: 'string', pattern: '^\\{\\{base_url\\}\\}/api/' },
      host: listOf({ type: 'string' }),
      path: listOf({ type: 'string' }),
      query: listOf({ $ref: '#/definitions/pair' }),
      variable: listOf({ $ref: '#/definitions/pair' }),
    }),
    item: object(
      {
        ...strings('id', 'name'),
        event: listOf({ $ref: '#/definitions/event' }),
        request: object(
          {
            method: { enum: ['GET', 'POST', 'PUT', 'DELETE'] },
            ...strings('description'),
            auth: { $ref: '#/definitions/auth' },
            header: listOf({ $ref: '#/definitions/pair' }),
            url: { $ref: '#/definitions/url' },
            body: object({ mode: { const: 'raw' }, raw: { type: 'string' } }),
          },
          ['method', 'url', 'header'],
        ),
        response: listOf({ type: 'object' }),
      },
      ['name', 'request', 'response'],
    ),
  },
  ...object({
    info: object({ name: { type: 'string' }, description: { type: 'string' }, schema: { const: postmanSchema } }),
    auth: { $ref: '#/definitions/auth' },
    event: listOf({ $ref: '#/definitions/event' }),
    variable: listOf(object({ ...strings('key', 'value'), type: { const: 'string' } })),
    item: listOf(object({ ...strings('name', 'description'), item: listOf({ $ref: '#/definitions/item' }) })),
  }),
};

/** What Insomnia writes into an export of format 4, by type of resource. */
const insomniaRules = {
  workspace: object({ parentId: { type: 'null' }, ...strings('name', 'description'), scope: { const: 'collection' } }),
  environment: object({ ...strings('parentId', 'name'), data: { type: 'object' } }),
  request_group: object({ ...strings('parentId', 'name'), environment: {}, metaSortKey: { type: 'number' } }),
  request: object({
    ...strings('parentId', 'name', 'description', 'method', 'afterResponseScript'),
    url: { type: 'string', pattern: '^\\{\\{ _\\.base_url \\}\\}/api/' },
    parameters: listOf(object({ ...strings('name', 'value'), disabled: { type: 'boolean' } })),
    headers: listOf(object(strings('name', 'value'))),
    body: object(strings('mimeType', 'text'), []),
    authentication: object(strings('type', 'token'), []),
    metaSortKey: { type: 'number' },
  }),
};

const ajv = new Ajv({ strict: false });

function problemsOf(rules: object, value: unknown): string {
  return ajv.validate(rules, value) ? '' : ajv.errorsText();
}

describe('the collection', () => {
  test('has every endpoint, in the folder of its tag, with a unique id', () => {
    for (const endpoint of endpoints) {
      const folder = endpoint.service.name.replace('Service', '');
      const inFolder = collection.folders.find(({ name }) => name === folder)?.requests ?? [];
      const same = inFolder.find(({ method, path }) => method === endpoint.method && path === endpoint.path);
      expect([endpoint.name, same?.method]).toEqual([endpoint.name, endpoint.method]);
    }
    expect(new Set(requests.map(({ id }) => id)).size).toBe(requests.length);
    for (const { description } of collection.folders) expect(description).not.toBe('');
  });

  test('has an endpoint that the tour does not name at the end of its folder, and names none that is not there', () => {
    const known = endpoints.find(({ name }) => name.startsWith('AuthService.'));
    if (!known) throw new Error('there is no such endpoint');
    const added = { ...known, name: 'AuthService.Invent', rpc: 'invent' };
    const { folders } = collectionOf(contract, [added, ...endpoints]);
    expect(folders.find(({ name }) => name === 'Auth')?.requests.at(-1)?.id).toBe('invent');
    expect(tour.map(({ of }) => of).filter((of) => !endpoints.some(({ name }) => name === of))).toEqual([]);
  });

  test('uses no variable before a request above has set it', () => {
    const known = new Set(['base_url', 'username', 'password', 'random']);
    for (const request of requests) {
      const { pathParameters, body, token, query } = request;
      const text = JSON.stringify([
        pathParameters,
        body,
        token && `{{${token}}}`,
        query.filter(({ isSent }) => isSent),
      ]);
      for (const [, name] of text.matchAll(/\{\{(\w+)\}\}/g))
        expect([request.id, name, known.has(name ?? '')]).toEqual([request.id, name, true]);
      for (const name of Object.keys(request.saves)) known.add(name);
    }
  });

  test('never signs out or changes the one who runs it', () => {
    const byId = (id: string) => requests.find((request) => request.id === id);
    expect(byId('logout')?.token).toBe('refreshed_token');
    expect(byId('changePassword')?.token).toBe('user_token');
    expect(byId('updateUser')?.pathParameters[0]?.value).toBe('{{user_id}}');
    expect(requests.flatMap(({ saves }) => Object.keys(saves)).filter((name) => name === 'token')).toHaveLength(1);
  });
});

describe('the Postman collection', () => {
  const postman = JSON.parse(JSON.stringify(postmanOf(collection, '1.0.0')));

  test('follows the rules of the format', () => {
    expect(problemsOf(postmanRules, postman)).toBe('');
  });

  test('inherits the token, but not where none or another one is needed', () => {
    const auths = postman.item.flatMap((folder: { item: { id: string; request: { auth?: unknown } }[] }) =>
      folder.item.map(({ id, request }) => [id, request.auth]),
    );
    expect(Object.fromEntries(auths)).toMatchObject({
      login: { type: 'noauth' },
      getHealth: { type: 'noauth' },
      createTask: undefined,
      logout: { type: 'bearer', bearer: [{ key: 'token', value: '{{refreshed_token}}', type: 'string' }] },
    });
  });
});

describe('the Insomnia export', () => {
  const insomnia = JSON.parse(JSON.stringify(insomniaOf(collection, '1.0.0')));

  test('follows the rules of the format, and every parent is there', () => {
    expect(insomnia).toMatchObject({ _type: 'export', __export_format: 4 });
    const ids = new Set(insomnia.resources.map(({ _id }: { _id: string }) => _id));
    expect(ids.size).toBe(insomnia.resources.length);
    const prefixes = { workspace: 'wrk_', environment: 'env_', request_group: 'fld_', request: 'req_' };
    for (const resource of insomnia.resources) {
      const type: keyof typeof insomniaRules = resource._type;
      expect([resource._id, problemsOf(insomniaRules[type], resource)]).toEqual([resource._id, '']);
      expect(resource._id.startsWith(prefixes[type])).toBe(true);
      if (resource.parentId) expect(ids).toContain(resource.parentId);
    }
  });
});
