import type { Schema } from '../contract/schema.ts';
import { type Collection, type CollectionRequest, type Parameter, tokenVariable } from './collection.ts';
import { exampleId } from './example-values.ts';

/** The rules that the collection follows; Postman and its like know the format by this address. */
export const postmanSchema = 'https://schema.getpostman.com/json/collection/v2.1.0/collection.json';

/** A collection in Postman's format 2.1. */
export function postmanOf({ name, description, folders, variables }: Collection, version: string): Schema {
  return {
    info: { _postman_id: exampleId('postman'), name, description, version, schema: postmanSchema },
    auth: bearer(tokenVariable),
    event: [script('test', [answersWithSuccess])],
    variable: Object.entries(variables).map(([key, value]) => ({ key, value, type: 'string' })),
    item: folders.map((folder) => ({
      name: folder.name,
      description: folder.description,
      item: folder.requests.map(itemOf),
    })),
  };
}

const answersWithSuccess =
  "pm.test('is answered with success', () => { if (pm.response.code >= 300) throw new Error(pm.response.text()); });";

function itemOf(request: CollectionRequest): Schema {
  return {
    id: request.id,
    name: request.name,
    ...(Object.keys(request.saves).length > 0 && { event: [script('test', saving(request.saves))] }),
    request: {
      method: request.method,
      description: request.description,
      header: request.body === undefined ? [] : [{ key: 'Content-Type', value: 'application/json' }],
      ...authOf(request),
      url: urlOf(request),
      ...(request.body !== undefined && {
        body: {
          mode: 'raw',
          raw: inPostman(JSON.stringify(request.body, null, 2)),
          options: { raw: { language: 'json' } },
        },
      }),
    },
    response: [],
  };
}

/** Nothing for what inherits the collection's token. */
function authOf({ token }: CollectionRequest): Schema {
  if (token === tokenVariable) return {};
  return { auth: token === undefined ? { type: 'noauth' } : bearer(token) };
}

function bearer(variable: string): Schema {
  return { type: 'bearer', bearer: [{ key: 'token', value: `{{${variable}}}`, type: 'string' }] };
}

function urlOf({ path, pathParameters, query }: CollectionRequest): Schema {
  const address = path.replaceAll(/\{(\w+)\}/g, ':$1');
  const sent = query.filter(({ isSent }) => isSent).map(({ name, value }) => `${name}=${value}`);
  return {
    raw: inPostman(`{{base_url}}${address}${sent.length > 0 ? `?${sent.join('&')}` : ''}`),
    host: ['{{base_url}}'],
    path: address.split('/').slice(1),
    variable: pathParameters.map(pairOf),
    query: query.map((parameter) => ({ ...pairOf(parameter), ...(!parameter.isSent && { disabled: true }) })),
  };
}

function pairOf({ name, value, description }: Parameter): Schema {
  return { key: name, value: inPostman(value), description };
}

function saving(saves: CollectionRequest['saves']): string[] {
  return [
    'if (pm.response.code < 300) {',
    '  const { data } = pm.response.json();',
    ...Object.entries(saves).map(([name, path]) => `  pm.collectionVariables.set('${name}', data.${path});`),
    '}',
  ];
}

function script(listen: 'test', exec: string[]): Schema {
  return { listen, script: { type: 'text/javascript', exec } };
}

function inPostman(text: string): string {
  return text.replaceAll('{{random}}', '{{$guid}}');
}
