import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import type { Answer } from '../scripts/api-client.ts';
import { Arbitraries, type Schema } from './support/arbitrary.ts';
import { firstEventOf, isEventStream } from './support/event-stream.ts';
import { startTestPlatform, type TestPlatform } from './support/platform.ts';
import { createProject, createTask } from './support/tasks.ts';
import { createUser, type TestUser } from './support/users.ts';

/** Requests per operation. */
const runs = Number(process.env.FUZZ_RUNS ?? 25);
// These would end what the other operations need: who asks, or that writes are taken.
const leftOut = new Set(['logout', 'changePassword', 'startMaintenance']);

interface Operation {
  id: string;
  method: string;
  path: string;
  parameters: { name: string; in: string; schema: Schema }[];
  body: Schema | undefined;
  /** It answers with server-sent events. */
  streams: boolean;
}

let running: TestPlatform;
let caller: TestUser;
let document: Schema;
let operations: Operation[];
let arbitraries: Arbitraries;
let ajv: Ajv2020;

beforeAll(async () => {
  running = await startTestPlatform();
  caller = await createUser(running, 'admin');
  document = (await running.visitor.request('GET', '/openapi.json')).body as unknown as Schema;
  operations = operationsOf(document);
  const project = await createProject(caller.api);
  const task = await createTask(caller.api, project, 'true');
  const session = await caller.api.call<{ session_id: string }>('POST', '/api/sessions/', {});
  const victim = await createUser(running);
  arbitraries = new Arbitraries(document, {
    project_id: [project],
    task_id: [task],
    depends_on_task_id: [task],
    session_id: [session.session_id],
    user_id: [victim.id],
    assigned_to: [victim.id],
    // What is generated is run; it must not be just anything.
    command: ['true', 'echo hello', 'exit 3', 'rm -rf /etc/no-such-directory-anywhere', '(', ''],
    force: [false],
    working_directory: ['.', '..', '/etc', 'nowhere'],
    search: ['word', '"a phrase"', 'pre* AND NOT (a OR b)', 'title:x', '(', '"', '*', 'a:b:c', '🎈'],
    username: [`fuzz-${randomBytes(4).toString('hex')}`, 'admin', ''],
  });
  ajv = new Ajv2020({ strict: false, allErrors: false });
  addFormats.default(ajv);
  ajv.addSchema(document, 'document');
});
afterAll(async () => running?.[Symbol.asyncDispose]());

function operationsOf({ paths }: Schema): Operation[] {
  return Object.entries(paths as Record<string, Record<string, Schema>>).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      const content = (operation.requestBody as Schema | undefined)?.content as Record<string, Schema> | undefined;
      return {
        id: String(operation.operationId),
        method: method.toUpperCase(),
        path,
        parameters: ((operation.parameters ?? []) as Operation['parameters']).filter(
          (parameter) => 'name' in parameter,
        ),
        body: content?.['application/json']?.schema as Schema | undefined,
        streams: isStream((operation.responses as Schema)['200'] as Schema | undefined),
      };
    }),
  );
}

function isStream(response: Schema | undefined): boolean {
  return Object.keys((response?.content ?? {}) as object).includes('text/event-stream');
}

/** Requests of an operation: its path with query, and its body. */
function requestsOf({ path, parameters, body }: Operation): fc.Arbitrary<{ url: string; body: unknown }> {
  const valuesOf = (place: string) => {
    const here = parameters.filter((parameter) => parameter.in === place);
    const model = Object.fromEntries(here.map(({ name, schema }) => [name, arbitraries.of(schema, name)]));
    return fc.record(model, place === 'path' ? {} : { requiredKeys: [] });
  };
  return fc
    .record({
      inPath: valuesOf('path'),
      query: valuesOf('query'),
      body: body ? arbitraries.of(body) : fc.constant(undefined),
    })
    .map(({ inPath, query, body }) => {
      const filled = path.replaceAll(/\{(\w+)\}/g, (_, name) => segmentOf(textOf((inPath as Schema)[name])));
      const pairs = Object.entries(query as Schema).map(([name, value]): [string, string] => [name, textOf(value)]);
      const text = new URLSearchParams(pairs);
      return { url: `${filled}?${text}`, body };
    });
}

/** A value as a segment of a path; a blank in place of those that every client takes out of an address before it is sent. */
function segmentOf(value: string): string {
  return ['', '.', '..'].includes(value) ? '%20' : encodeURIComponent(value);
}

function textOf(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  return text.toWellFormed();
}

/** What is looked at of an answer. */
interface Tried {
  status: number;
  body: Pick<Answer['body'], 'data' | 'error'>;
}

/** The beginning of a stream as if it were a whole answer, or why there is none. */
async function openStream(url: string): Promise<Tried> {
  const { api } = caller;
  const response = await fetch(api.url + url, {
    headers: { authorization: `Bearer ${api.token}` },
    signal: AbortSignal.timeout(20_000),
  });
  const { status } = response;
  if (!isEventStream(response)) return { status, body: (await response.json()) as Answer['body'] };
  return { status, body: { data: await firstEventOf(response), error: null } };
}

/** What is wrong with an answer, by the document; undefined for nothing. */
function complaintAbout({ method, path, streams }: Operation, status: number, body: Tried['body']) {
  if (streams && status === 200) return String(body.data).includes('\nevent: ') ? undefined : 'no event came';
  const step = (text: string) => text.replaceAll('~', '~0').replaceAll('/', '~1');
  const responses = (document.paths as Record<string, Record<string, Schema>>)[path]?.[method.toLowerCase()]
    ?.responses as Schema;
  const response = responses[status] as Schema | undefined;
  if (!response) return `the document knows no ${status}`;
  const pointer = response.$ref ?? `#/paths/${step(path)}/${method.toLowerCase()}/responses/${status}`;
  const uri = `document${encodeURI(String(pointer))}/content/application~1json/schema`;
  const validate = ajv.getSchema(uri);
  if (!validate) return `the document has no schema at ${uri}`;
  return validate(body) ? undefined : ajv.errorsText(validate.errors);
}

test('no request whatsoever meets a fault, and every answer is as the document says', async () => {
  const isLast = ({ method }: Operation) => Number(method === 'DELETE');
  const tried = operations.filter(({ id }) => !leftOut.has(id)).sort((a, b) => isLast(a) - isLast(b));
  expect(tried.length).toBeGreaterThan(55);
  const complaints: string[] = [];
  for (const operation of tried) {
    const property = fc.asyncProperty(requestsOf(operation), async ({ url, body }) => {
      const sent = operation.body ? JSON.stringify(body) : undefined;
      const answer: Tried = await (operation.streams
        ? openStream(url)
        : caller.api.request(operation.method, url, sent));
      const seen = `${operation.method} ${url} answered ${answer.status} ${JSON.stringify(answer.body).slice(0, 500)}`;
      if (answer.status >= 500 && answer.body.error?.code !== 'SYSTEM_OVERLOADED') throw new Error(seen);
      const complaint = complaintAbout(operation, answer.status, answer.body);
      if (complaint) throw new Error(`${seen}: ${complaint}`);
    });
    // Every operation is tried, so that one run tells of all that is wrong.
    const { failed, errorInstance, seed } = await fc.check(property, { numRuns: runs, endOnFailure: true });
    if (failed) complaints.push(`seed ${seed}: ${(errorInstance as Error)?.message}`);
  }
  expect(complaints).toEqual([]);
});
