import type { Schema } from '../contract/schema.ts';
import type { Collection, CollectionRequest } from './collection.ts';
import { exampleTime } from './example-values.ts';

const workspaceId = 'wrk_claude_cli_platform';
const environmentId = 'env_claude_cli_platform';

/**
 * A collection as Insomnia exports it, format 4. What an answer sets is set by a script after it, in the base environment: the
 * "response" tags that Insomnia has as well name requests by ids, and ids change when a file is imported.
 */
export function insomniaOf({ name, description, folders, variables }: Collection, version: string): Schema {
  const created = Date.parse(exampleTime);
  const stamps = { created, modified: created };
  const groups = folders.map((folder, index) => ({
    _id: `fld_${folder.name.toLowerCase()}`,
    _type: 'request_group',
    parentId: workspaceId,
    ...stamps,
    name: folder.name,
    description: folder.description,
    environment: {},
    environmentPropertyOrder: null,
    metaSortKey: index,
  }));
  const requests = folders.flatMap((folder) =>
    folder.requests.map((request, index) => ({
      _id: `req_${request.id}`,
      _type: 'request',
      parentId: `fld_${folder.name.toLowerCase()}`,
      ...stamps,
      ...requestOf(request),
      metaSortKey: index,
    })),
  );
  return {
    _type: 'export',
    __export_format: 4,
    __export_date: exampleTime,
    __export_source: `claude-cli-platform:${version}`,
    resources: [
      { _id: workspaceId, _type: 'workspace', parentId: null, ...stamps, name, description, scope: 'collection' },
      {
        _id: environmentId,
        _type: 'environment',
        parentId: workspaceId,
        ...stamps,
        name: 'Base Environment',
        data: variables,
        dataPropertyOrder: null,
        color: null,
        isPrivate: false,
        metaSortKey: 0,
      },
      ...groups,
      ...requests,
    ],
  };
}

function requestOf({ name, description, method, path, pathParameters, query, body, token, saves }: CollectionRequest) {
  const values = new Map(pathParameters.map((parameter) => [parameter.name, parameter.value]));
  const address = path.replaceAll(/\{(\w+)\}/g, (_, parameter) => values.get(parameter) ?? '');
  return {
    name,
    description,
    method,
    url: inInsomnia(`{{base_url}}${address}`),
    parameters: query.map((parameter) => ({
      name: parameter.name,
      value: inInsomnia(parameter.value),
      description: parameter.description,
      disabled: !parameter.isSent,
    })),
    headers: body === undefined ? [] : [{ name: 'Content-Type', value: 'application/json' }],
    body: body === undefined ? {} : { mimeType: 'application/json', text: inInsomnia(JSON.stringify(body, null, 2)) },
    authentication: token === undefined ? {} : { type: 'bearer', token: inInsomnia(`{{${token}}}`) },
    preRequestScript: '',
    afterResponseScript: Object.keys(saves).length > 0 ? saving(saves) : '',
  };
}

function saving(saves: CollectionRequest['saves']): string {
  return [
    'if (insomnia.response.code < 300) {',
    '  const { data } = insomnia.response.json();',
    ...Object.entries(saves).map(([name, path]) => `  insomnia.baseEnvironment.set('${name}', data.${path});`),
    '}',
  ].join('\n');
}

function inInsomnia(text: string): string {
  return text.replaceAll('{{random}}', "{% uuid 'v4' %}").replaceAll(/\{\{(\w+)\}\}/g, '{{ _.$1 }}');
}
