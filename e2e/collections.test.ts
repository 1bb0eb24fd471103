import { randomUUID } from 'node:crypto';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { firstEventOf, isEventStream } from './support/event-stream.ts';
import { startTestPlatform, type TestPlatform } from './support/platform.ts';

let running: TestPlatform;
beforeAll(async () => {
  running = await startTestPlatform();
});
afterAll(async () => running?.[Symbol.asyncDispose]());

/** A request of a collection with its variables put in, and the scripts that follow it. */
interface Prepared {
  name: string;
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string | undefined;
  scripts: string[];
}

type Fill = (text: string) => string;

/** A stand-in for the object that scripts of an API client work with. */
function handleOf(code: number, text: string, set: (name: string, value: unknown) => void) {
  const scope = { set };
  const response = { code, json: () => JSON.parse(text), text: () => text };
  return {
    response,
    collectionVariables: scope,
    baseEnvironment: scope,
    test: (_name: string, check: () => void) => check(),
  };
}

async function run(variables: Map<string, string>, requests: ((fill: Fill) => Prepared)[], handle: 'pm' | 'insomnia') {
  const { url: base, adminUsername, adminPassword } = running.platform;
  variables.set('base_url', base).set('username', adminUsername).set('password', adminPassword);
  const fill: Fill = (text) =>
    text
      .replaceAll(/\{\{\$guid\}\}|\{% uuid 'v4' %\}/g, () => randomUUID())
      .replaceAll(/\{\{ ?(?:_\.)?(\w+) ?\}\}/g, (_, name) => variables.get(name) ?? `no variable ${name}`);
  for (const prepare of requests) {
    const { name, method, url, headers, body, scripts } = prepare(fill);
    const response = await fetch(url, { method, headers, ...(body !== undefined && { body }) });
    const text = isEventStream(response) ? await firstEventOf(response) : await response.text();
    expect([name, url, response.status < 300, text]).toEqual([name, url, true, text]);
    const set = (variable: string, value: unknown) => {
      if (typeof value !== 'string' || value === '') throw new Error(`${name} has nothing for ${variable}`);
      variables.set(variable, value);
    };
    for (const script of scripts) runInNewContext(script, { [handle]: handleOf(response.status, text, set) });
  }
}

// biome-ignore lint/suspicious/noExplicitAny: files of formats that are not ours
async function download(path: string): Promise<any> {
  return (await fetch(running.platform.url + path)).json();
}

test('the Postman collection runs from top to bottom', async () => {
  const collection = await download('/docs/postman_collection.json');
  const variables = new Map<string, string>(collection.variable.map(({ key, value }: Pair) => [key, value]));
  // biome-ignore lint/suspicious/noExplicitAny: see above
  const items: any[] = collection.item.flatMap((folder: any) => folder.item);
  const requests = items.map(({ name, request, event = [] }) => (fill: Fill): Prepared => {
    const values = new Map<string, string>(request.url.variable.map(({ key, value }: Pair) => [key, value]));
    const path = request.url.path.map((part: string) => (part.startsWith(':') ? values.get(part.slice(1)) : part));
    const query = request.url.query
      .filter((pair: Pair) => !pair.disabled)
      .map(({ key, value }: Pair) => `${key}=${value}`);
    const auth = request.auth ?? collection.auth;
    return {
      name,
      method: request.method,
      url: fill([request.url.host.join(''), ...path].join('/') + (query.length > 0 ? `?${query.join('&')}` : '')),
      headers: {
        ...Object.fromEntries(request.header.map(({ key, value }: Pair) => [key, value])),
        ...(auth.type === 'bearer' && { authorization: `Bearer ${fill(auth.bearer[0].value)}` }),
      },
      body: request.body && fill(request.body.raw),
      scripts: [...collection.event, ...event].map(({ script }) => script.exec.join('\n')),
    };
  });
  await run(variables, requests, 'pm');
  expect(requests.length).toBeGreaterThan(60);
});

test('the Insomnia export runs from top to bottom', async () => {
  const { resources } = await download('/docs/insomnia_collection.json');
  const { data } = resources.find(({ _type }: Resource) => _type === 'environment');
  const variables = new Map<string, string>(Object.entries(data));
  const ofType = (type: string, parent?: string) =>
    resources
      .filter(({ _type, parentId }: Resource) => _type === type && (!parent || parentId === parent))
      .toSorted((a: Resource, b: Resource) => a.metaSortKey - b.metaSortKey);
  const ordered = ofType('request_group').flatMap(({ _id }: Resource) => ofType('request', _id));
  const requests = ordered.map(
    // biome-ignore lint/suspicious/noExplicitAny: see above
    (request: any) =>
      (fill: Fill): Prepared => ({
        name: request.name,
        method: request.method,
        url: fill(request.url + queryOf(request.parameters)),
        headers: {
          ...Object.fromEntries(
            request.headers.map((header: { name: string; value: string }) => [header.name, header.value]),
          ),
          ...(request.authentication.type === 'bearer' && {
            authorization: `Bearer ${fill(request.authentication.token)}`,
          }),
        },
        body: request.body.text && fill(request.body.text),
        scripts: request.afterResponseScript ? [request.afterResponseScript] : [],
      }),
  );
  await run(variables, requests, 'insomnia');
  expect(requests.length).toBeGreaterThan(60);
});

function queryOf(parameters: { name: string; value: string; disabled?: boolean }[]): string {
  const sent = parameters.filter(({ disabled }) => !disabled).map(({ name, value }) => `${name}=${value}`);
  return sent.length > 0 ? `?${sent.join('&')}` : '';
}

interface Pair {
  key: string;
  value: string;
  disabled?: boolean;
}

interface Resource {
  _id: string;
  _type: string;
  parentId: string;
  metaSortKey: number;
}
